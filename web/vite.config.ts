// Two entries: index.html (the page) and j.html (a browser as a speaker). Nothing is inlined, since the hub's
// content security policy allows neither inline scripts nor inline styles; names carry a hash of the content, so the hub
// may let them be cached for ever.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const entries = ["index.html", "j.html"].map(here).filter((path) => existsSync(path));

// `vite` alone (npm run dev) serves the page beside a hub that runs on this machine.
const hub = process.env["ANTIPHON_HUB"] ?? "http://127.0.0.1:7755";

export default defineConfig({
  base: "/",
  plugins: [svelte()],
  build: {
    target: ["es2022", "safari16"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: entries },
  },
  server: {
    proxy: {
      "/api": { target: hub, ws: true },
      "/browser": { target: hub, ws: true },
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
