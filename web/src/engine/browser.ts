// What this browser is called until a person gives it a name.

/** `Chrome 131 on Android`. */
export function browserName(agent: string = navigator.userAgent): string {
  const known: [RegExp, string][] = [
    [/Edg(?:A|iOS)?\/(\d+)/, "Edge"],
    [/SamsungBrowser\/(\d+)/, "Samsung Internet"],
    [/(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
    [/(?:Chrome|CriOS|Chromium)\/(\d+)/, "Chrome"],
    [/Version\/(\d+).*Safari/, "Safari"],
  ];
  const systems: [RegExp, string][] = [
    [/iPhone/, "iPhone"],
    [/iPad/, "iPad"],
    [/Android/, "Android"],
    [/CrOS/, "ChromeOS"],
    [/Windows/, "Windows"],
    [/Mac OS/, "Mac"],
    [/Linux/, "Linux"],
  ];
  const browser = known.find(([pattern]) => pattern.test(agent));
  const version = browser && browser[0].exec(agent)?.[1];
  const system = systems.find(([pattern]) => pattern.test(agent))?.[1] ?? "an unknown system";
  return `${browser ? `${browser[1]} ${version ?? ""}`.trim() : "A browser"} on ${system}`;
}
