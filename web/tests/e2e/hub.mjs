// A real hub for the page: the program, its join code, and a player.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export async function realHub(lab, program, file) {
  if (!program) throw new Error("say which program: --antiphon target/debug/antiphon, or --fake");
  lab.env.ANTIPHON_STATE_DIR = join(lab.directory, "state");
  lab.env.ANTIPHON_RUNTIME_DIR = join(lab.directory, "runtime");
  const ask = async (...words) => JSON.parse((await run(program, [...words, "--json"], { env: lab.env })).stdout);
  const hub = {};
  let children = [];
  const start = async (port) => {
    children = [lab.spawn(program, ["hub", "--listen", `127.0.0.1:${port}`, "--no-mdns", "--no-bluetooth", "--name", "house"])];
    await lab.until("the hub", () => ask("status").catch(() => undefined));
  };
  const end = async () => {
    const ended = children.map((child) => child.exitCode === null && new Promise((done) => child.on("exit", done)));
    for (const child of children.reverse()) child.kill("SIGTERM");
    await Promise.all(ended);
  };
  // A player has nothing to play to until a speaker is there.
  hub.play = () => void children.push(lab.spawn(program, ["play", file]));
  hub.ask = ask;
  hub.tell = (...words) => run(program, words, { env: lab.env });
  hub.start = start;
  hub.close = end;
  await start(0);
  const { url } = await ask("join");
  const port = new URL(url).port;
  // The hub listens on this machine alone, whatever address the link names.
  hub.origin = `http://127.0.0.1:${port}`;
  hub.url = `${hub.origin}/j${new URL(url).hash}`;
  hub.restart = async () => {
    await end();
    await start(port);
  };
  return hub;
}
