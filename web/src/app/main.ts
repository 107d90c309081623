import { mount } from "svelte";
import "../app.css";
import App from "./App.svelte";
import { live } from "./live.svelte";

const target = document.getElementById("app");
if (target) {
  live.start();
  mount(App, { target });
}
