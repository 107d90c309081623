// What keeps a phone playing with its screen dark: the playback category, a silent element that plays for ever, an entry on
// the lock screen, and a screen that stays lit where the browser lets a page ask for it. Each is missing somewhere.

interface AudioSessionNavigator {
  audioSession?: { type: string };
}

export interface Awake {
  title(text: string): void;
  visible(): void;
  release(): void;
}

/** To be called inside a tap. `onPlay` and `onPause`: the buttons of the lock screen. */
export function keepAwake(onPlay: () => void, onPause: () => void): Awake {
  const session = (navigator as AudioSessionNavigator).audioSession;
  if (session) session.type = "playback";
  const element = silence();
  element.play().catch(() => undefined);
  let lock: WakeLockSentinel | undefined;
  const lit = (): void => {
    // Exists only on https and localhost; refused when the battery is low.
    const request = navigator.wakeLock as WakeLock | undefined;
    request?.request("screen").then((sentinel) => (lock = sentinel), () => undefined);
  };
  lit();
  const media = "mediaSession" in navigator ? navigator.mediaSession : undefined;
  media?.setActionHandler("play", onPlay);
  media?.setActionHandler("pause", onPause);
  return {
    title: (text) => {
      if (media) media.metadata = new MediaMetadata({ title: text, artist: "Antiphon" });
    },
    visible: () => {
      lit();
      if (element.paused) element.play().catch(() => undefined);
    },
    release: () => {
      element.pause();
      URL.revokeObjectURL(element.src);
      lock?.release().catch(() => undefined);
      media?.setActionHandler("play", null);
      media?.setActionHandler("pause", null);
    },
  };
}

/** Ten seconds of nothing: shorter sounds get no place on a lock screen. */
function silence(): HTMLAudioElement {
  const [rate, frames] = [8_000, 80_000];
  const wav = new Uint8Array(44 + frames).fill(0x80, 44);
  const view = new DataView(wav.buffer);
  const text = (at: number, word: string): void => wav.set(new TextEncoder().encode(word), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + frames, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint32(20, 0x0001_0001, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate, true);
  view.setUint32(32, 0x0008_0001, true);
  text(36, "data");
  view.setUint32(40, frames, true);
  const element = new Audio(URL.createObjectURL(new Blob([wav], { type: "audio/wav" })));
  element.loop = true;
  return element;
}
