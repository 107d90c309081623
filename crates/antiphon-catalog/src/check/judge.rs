//! Each method's own rules.

use super::{Gate, Host, Judged, Question, Speaker, Standing, gates};
use crate::method::{Method, MethodId};
use crate::model::{Fact, Input, Kind, Mode, Purpose, Spans, Statement};
use crate::proof::Proof;

/// What is judged.
pub(super) struct Case<'a, 'q> {
    pub speakers: &'q [Speaker<'a>; 2],
    pub alike: bool,
    pub question: &'q Question<'q>,
}

/// A judgement on its way.
struct Ruling {
    standing: Standing,
    why: String,
    gates: Vec<Gate>,
    proofs: Vec<Proof>,
    latency_ms: Option<(f64, Proof)>,
}

impl Ruling {
    fn new(standing: Standing, why: impl Into<String>) -> Self {
        Self { standing, why: why.into(), gates: Vec::new(), proofs: Vec::new(), latency_ms: None }
    }

    fn on(mut self, facts: &[&Fact]) -> Self {
        self.proofs = facts.iter().map(|fact| fact.proof.clone()).collect();
        self.proofs.sort_by_key(|proof| proof.evidence.weight());
        self.proofs.dedup();
        self
    }
}

/// Whether a method gives each speaker its own channel.
pub(super) fn is_stereo(id: MethodId) -> bool {
    !matches!(id, MethodId::VendorParty | MethodId::DualAudio)
}

impl<'a> Case<'a, '_> {
    pub fn judge(&self, method: &'a Method) -> Judged<'a> {
        let ruling = match (&method.later, method.id) {
            (Some(later), _) => Ruling::new(Standing::Later, later.as_str()),
            (None, MethodId::VendorStereo) => self.vendor_stereo(),
            (None, MethodId::HostPair) => self.host_pair(),
            (None, MethodId::Agents) => self.agents(),
            (None, MethodId::AppMediated) => self.app_mediated(),
            (None, MethodId::WiredSplitter) => self.wired(),
            (None, MethodId::VendorParty) => self.vendor_party(),
            (None, MethodId::DualAudio) => self.dual_audio(),
            (None, MethodId::Browsers) => self.browsers(),
            // No method of its own: its guides serve all of them.
            (None, MethodId::Any) => Ruling::new(Standing::Later, "It serves the others."),
        };
        let Ruling { standing, why, gates, proofs, latency_ms } = ruling;
        let how = if standing.helps() { self.how(method) } else { Vec::new() };
        Judged { method, standing, why, gates, proofs, latency_ms, how }
    }

    fn how(&self, method: &Method) -> Vec<String> {
        let guide = match (self.alike, self.speakers[0].found()) {
            (true, Some(found)) => format!("antiphon guide {} {:?}", method.guide, found.name),
            _ => format!("antiphon guide {}", method.guide),
        };
        match method.id {
            MethodId::HostPair => vec![guide, "antiphon pair".into(), "antiphon play song.flac".into()],
            MethodId::Browsers => vec![guide, "antiphon hub".into(), "antiphon join --qr".into()],
            _ => vec![guide],
        }
    }

    fn mode(&self, n: usize, purpose: Purpose) -> Option<(&'a Fact, &'a Mode)> {
        self.speakers[n].facts().find_map(|fact| match &fact.statement {
            Statement::Pairing(mode) if mode.purpose == purpose => Some((fact, mode)),
            _ => None,
        })
    }

    fn none_at_all(&self, n: usize) -> Option<&'a Fact> {
        self.speakers[n].facts().find(|fact| matches!(fact.statement, Statement::NoPairing))
    }

    fn brands(&self) -> [Option<&'a str>; 2] {
        [0, 1].map(|n| self.speakers[n].found().map(|found| found.model.brand.as_str()))
    }

    fn vendor_stereo(&self) -> Ruling {
        for n in [0, 1] {
            if let Some(fact) = self.none_at_all(n) {
                let why = format!("{} is said to have none.", self.speakers[n].name());
                return Ruling::new(Standing::Cannot, why).on(&[fact]);
            }
        }
        if !self.alike {
            return Ruling::new(Standing::Cannot, self.why_not_alike());
        }
        match self.mode(0, Purpose::Stereo) {
            Some((fact, _)) => self.gated(Purpose::Stereo, &[fact], "Two of this model make a pair."),
            None => self.no_stereo_known(),
        }
    }

    fn why_not_alike(&self) -> &'static str {
        match self.brands() {
            [Some(one), Some(other)] if one != other => {
                "They are of two brands, and no maker's stereo mode spans brands: only the host can pair them."
            }
            [Some(_), Some(_)] => "They are two models, and a maker's stereo mode takes two of one model.",
            _ => "A maker's stereo mode takes two of one model; these are not known to be that.",
        }
    }

    fn no_stereo_known(&self) -> Ruling {
        if let Some((fact, _)) = self.mode(0, Purpose::App) {
            let mut ruling = self.gated(
                Purpose::App,
                &[fact],
                "Its maker's app plays on two, the same on both: no left and right.",
            );
            ruling.standing = Standing::Cannot;
            return ruling;
        }
        match self.speakers[0].found().map(|found| found.model.kind) {
            Some(Kind::EarBuds) => Ruling::new(
                Standing::Cannot,
                "One pair of these is left and right already; two pairs do not join.",
            ),
            _ => Ruling::new(
                Standing::Maybe,
                "Nothing is known of such a mode here: look for TWS or stereo in the manual, and on its keys.",
            ),
        }
    }

    /// Works, if everything that `purpose` asks for is so.
    fn gated(&self, purpose: Purpose, facts: &[&Fact], why: &str) -> Ruling {
        let gates = gates::of(self, purpose);
        let standing = match () {
            () if gates.iter().any(|gate| gate.met == Some(false)) => Standing::NotYet,
            () if gates.iter().any(|gate| gate.met.is_none()) => Standing::Maybe,
            () => Standing::Works,
        };
        let told = match standing {
            Standing::NotYet => "Something that it needs is not so yet.",
            Standing::Maybe => "It needs what nobody has told here.",
            _ => "",
        };
        let latencies = self.speakers[0].facts().filter_map(|fact| match fact.statement {
            Statement::LatencyMs(of, ms) if of == purpose => Some((ms, fact.proof.clone())),
            _ => None,
        });
        // What was measured is told before what somebody claims.
        let latency = latencies.max_by_key(|(_, proof)| proof.evidence.weight());
        let why = format!("{why} {told}").trim().to_owned();
        Ruling { gates, latency_ms: latency, ..Ruling::new(standing, why).on(facts) }
    }

    fn host_pair(&self) -> Ruling {
        match self.question.host {
            Host::Linux => Ruling::new(
                Standing::Works,
                "This computer connects both itself and sends each its own channel, whatever their make.",
            ),
            host => Ruling::new(
                Standing::WithMore,
                format!(
                    "The music has to be on a Linux computer with Bluetooth, an old laptop or a Raspberry Pi; \
                     from {} itself it cannot be done.",
                    host.name()
                ),
            ),
        }
    }

    fn agents(&self) -> Ruling {
        let why = match self.question.host {
            Host::Linux => {
                "Each speaker needs a Linux computer within its reach, besides this one where they are far apart."
            }
            _ => "A Linux computer has the music, and one stands at each speaker that is far away.",
        };
        Ruling::new(Standing::WithMore, why)
    }

    fn browsers(&self) -> Ruling {
        let why = match self.question.host {
            Host::Linux => {
                "Two phones, tablets or other computers in this network open a page of this one. Each plays one side, \
                 on its own loudspeaker or on the speaker that it is connected with."
            }
            Host::Android | Host::Ios => {
                "A Linux computer in the same network has the music (it needs no Bluetooth). This phone and one more \
                 open its page, each connected with its own speaker."
            }
            Host::Windows | Host::Macos => {
                "A Linux computer in the same network has the music (it needs no Bluetooth). This computer and a phone, \
                 or two phones, open its page, each connected with its own speaker."
            }
        };
        Ruling::new(Standing::WithMore, why)
    }

    fn app_mediated(&self) -> Ruling {
        match self.question.host {
            Host::Android | Host::Ios => {
                let why =
                    "It needs one more phone or tablet: one at each speaker, each connected to its own.";
                Ruling::new(Standing::WithMore, why)
            }
            _ => Ruling::new(Standing::Cannot, "Such apps are for phones; on a computer nothing needs them."),
        }
    }

    fn wired(&self) -> Ruling {
        let inputs = [0, 1].map(|n| self.aux(n));
        let facts: Vec<&Fact> = inputs.iter().flatten().map(|(fact, _)| *fact).collect();
        for (n, input) in inputs.iter().enumerate() {
            if let Some((fact, false)) = input {
                let why = format!("{} has no AUX input.", self.speakers[n].name());
                return Ruling::new(Standing::Cannot, why).on(&[fact]);
            }
        }
        if let Some(buds) = self.speakers.iter().find(|speaker| self.is_buds(speaker)) {
            return Ruling::new(Standing::Cannot, format!("{} takes no cable.", buds.name()));
        }
        let unknown: Vec<&str> = [0, 1]
            .into_iter()
            .filter(|n| inputs[*n].is_none() && !(self.alike && *n == 1))
            .map(|n| self.speakers[n].name())
            .collect();
        if unknown.is_empty() {
            let why = "Both have an AUX input; it needs an adapter from stereo to two mono sockets.";
            return Ruling::new(Standing::Works, why).on(&facts);
        }
        let why = format!("Works if there is a 3.5 mm socket on {}: look.", unknown.join(" and on "));
        Ruling::new(Standing::Maybe, why).on(&facts)
    }

    fn aux(&self, n: usize) -> Option<(&'a Fact, bool)> {
        self.speakers[n].facts().find_map(|fact| match fact.statement {
            Statement::Input(Input::Aux, has) => Some((fact, has)),
            _ => None,
        })
    }

    fn is_buds(&self, speaker: &Speaker) -> bool {
        speaker.found().is_some_and(|found| found.model.kind == Kind::EarBuds)
    }

    fn vendor_party(&self) -> Ruling {
        let modes = [0, 1].map(|n| self.mode(n, Purpose::Party).or_else(|| self.mode(n, Purpose::App)));
        for n in [0, 1] {
            if let Some(fact) = self.none_at_all(n) {
                let why = format!("{} is said to have none.", self.speakers[n].name());
                return Ruling::new(Standing::Cannot, why).on(&[fact]);
            }
        }
        match modes {
            [Some((one, a)), Some((other, b))] if self.joins(a, b) => {
                self.gated(a.purpose, &[one, other], "Both have the same system; both play the same.")
            }
            [Some((one, a)), Some((other, b))] => {
                let name = |mode: &Mode| mode.protocol.clone().unwrap_or_else(|| "its maker's app".into());
                let why = format!("One has {}, the other {}: they do not join.", name(a), name(b));
                Ruling::new(Standing::Cannot, why).on(&[one, other])
            }
            _ if !self.alike => match self.brands() {
                [Some(one), Some(other)] if one == other => Ruling::new(
                    Standing::Maybe,
                    "Nothing is known of a system that both have: look in the maker's app.",
                ),
                [None, _] | [_, None] => Ruling::new(
                    Standing::Maybe,
                    "Only if both are of one brand and have its party system: look at the names on their keys.",
                ),
                _ => Ruling::new(Standing::Cannot, "Two brands: no maker's party system spans brands."),
            },
            _ => Ruling::new(
                Standing::Maybe,
                "Nothing is known of one: look in the manual and the maker's app.",
            ),
        }
    }

    fn joins(&self, one: &Mode, other: &Mode) -> bool {
        let family =
            one.spans == Spans::Family && other.spans == Spans::Family && one.purpose == other.purpose;
        self.alike || (family && one.protocol.is_some() && one.protocol == other.protocol)
    }

    fn dual_audio(&self) -> Ruling {
        let why = match self.question.host {
            Host::Linux => {
                return Ruling::new(
                    Standing::Cannot,
                    "A desktop's own combined output sends to both without bringing them into step; Antiphon does.",
                );
            }
            Host::Android => "Some Android phones play on two; yours tells in its media panel.",
            Host::Ios => "Look in the output list of Control Centre whether both can be chosen.",
            Host::Windows => {
                "Only newer Windows with LE Audio shares to two, and only to devices that have it."
            }
            Host::Macos => "Audio MIDI Setup makes a multi-output device of both.",
        };
        Ruling::new(Standing::Maybe, why)
    }
}

/// What to do, in a sentence or two.
pub(super) fn verdict(
    speakers: &[Speaker; 2],
    alike: bool,
    host: Host,
    methods: &[Judged],
    best: crate::MethodId,
) -> String {
    let who = match alike {
        true => format!("Two {}", speakers[0].name()),
        false => format!("{} and {}", speakers[0].name(), speakers[1].name()),
    };
    let from = host.name();
    let of = |id: crate::MethodId| methods.iter().find(|judged| judged.method.id == id);
    let chosen = of(best).expect("the best is one of them");
    let standing = |id| of(id).map_or(Standing::Cannot, |judged| judged.standing);
    let not_themselves = standing(MethodId::VendorStereo) == Standing::Cannot && best == MethodId::HostPair;
    let cable = if standing(MethodId::WiredSplitter).helps() { "without a cable, " } else { "" };
    let title = &chosen.method.title;
    let phones = if best == MethodId::HostPair { with_phones(host) } else { "" };
    let now = match (chosen.standing, not_themselves) {
        (Standing::Works, true) => {
            format!(
                "{who}: {cable}only the host can make these a stereo pair, and from {from} it can: {title}."
            )
        }
        (_, true) => {
            let no_way = if cable.is_empty() { format!(" {from} alone cannot.") } else { String::new() };
            format!(
                "{who}: {cable}only a host can make these a stereo pair: a Linux computer, which then has the \
                 music.{no_way}{phones}"
            )
        }
        (Standing::Works, false) => format!("{who}: works from {from}, as things are: {title}."),
        (_, false) => format!("{who}: from {from} the best is {title}. {}{phones}", chosen.why),
    };
    let order = chosen.method.order;
    let better = methods.iter().find(|judged| {
        judged.method.order < order
            && matches!(judged.standing, Standing::Maybe | Standing::NotYet)
            && !judged.gates.is_empty()
    });
    match better {
        Some(judged) => {
            let verb = if judged.standing == Standing::NotYet {
                "once its conditions are met"
            } else {
                "if its conditions are met"
            };
            format!("{now} Better ranked, {verb}: {}.", judged.method.title)
        }
        None => now,
    }
}

/// For those who have phones, and perhaps no Bluetooth in the computer.
fn with_phones(host: Host) -> &'static str {
    match host {
        Host::Android | Host::Ios => {
            " Where that computer has no Bluetooth, two phones with a speaker each play through its page: antiphon guide \
             browser. With phones alone there are apps: antiphon guide app."
        }
        _ => "",
    }
}
