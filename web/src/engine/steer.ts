// How fast to play so that what is heard comes to lie, and stays, where it belongs.
//
// The two clock estimates give the rate outright; this loop takes out what their errors have let build up. Type 2: the
// integrator holds what the estimates of the rate are wrong by, so that no phase error remains. No dead band. Wide when a
// voice begins, narrow once the estimates have settled, since every change of rate is a change of pitch.

/** Seconds since the voice began, and the loop's bandwidth from then on, Hz. */
const GEARS: readonly [number, number][] = [
  [0, 0.5],
  [3, 0.2],
  [10, 0.05],
];
/** Nobody hears a third of a hertz in a thousand; less once things have settled. */
const MOST = { settling: 1e-3, settled: 3e-4, settlingS: 20 };
const SLIP_S = 1e-3;
/** Estimates that are less sure than a millisecond are no reason to jump by one. */
const SLIP_SDS = 4;
const REPRIME_S = 50e-3;

export type Decision = { kind: "steer"; trim: number } | { kind: "slip" } | { kind: "reprime" };

export class Steer {
  private integral = 0;
  private ageS = 0;

  /** `errorS`: by how much what is heard is late; `sdS`: how sure that is; `forS`: until the next decision. */
  decide(errorS: number, sdS: number, forS: number): Decision {
    const late = Math.abs(errorS);
    if (late > REPRIME_S) return { kind: "reprime" };
    if (late > Math.max(SLIP_S, SLIP_SDS * sdS)) return { kind: "slip" };
    return { kind: "steer", trim: this.trim(errorS, forS) };
  }

  private trim(errorS: number, forS: number): number {
    const omega = 2 * Math.PI * bandwidth(this.ageS);
    const most = this.ageS < MOST.settlingS ? MOST.settling : MOST.settled;
    this.ageS += forS;
    this.integral = clamp(this.integral + omega ** 2 * 0.5 * errorS * forS, most / 2);
    return clamp(2 * omega * errorS + this.integral, most);
  }
}

const bandwidth = (ageS: number): number => GEARS.findLast(([from]) => ageS >= from)?.[1] ?? 0;
const clamp = (value: number, most: number): number => Math.min(most, Math.max(-most, value));
