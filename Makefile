# One command for each thing; each sets up what it needs. CARGO_TARGET_DIR is honoured.
#
#   make demo     hear and measure two speakers in time, without any hardware   (ARGS="--seconds 60")
#   make test     every test, and the independent check of the measurement
#   make check    format, lints, laws, licences, documentation
#   make rig      two Bluetooth speakers without radio: a real BlueZ, speakers that are programs  (ARGS=--list)
#   make rig-alsa  two channels of one sound card, and two cards, in a kernel that has them  (ARGS=--short)
#   make rig-short  a few of its scenarios, in their short form
#   make test-web  the page, the browser speaker and the API: engine, types, the committed build, a real Chromium
#   make test-engines  the browser speaker in Firefox and in WebKit, which it installs
#   make bench-browser  two Chromiums as speakers on two sinks of one sound server  (ARGS="--seconds 30")
#   make bench-peers  Antiphon and Snapcast on two sinks of one sound server, both columns  (ARGS="--starts 2")
#   make bench    the figures of docs/figures.md, measured on this machine       (minutes)

ARGS ?=
CARGO ?= cargo

# Programs and examples as the tests have built them: of one package alone, features would be others, and all compiled again.
DEBUG = $${CARGO_TARGET_DIR:-target}/debug
BUILT = $(CARGO) build --locked --quiet --workspace --bins --examples

# Makes a target where Node.js is new enough; elsewhere it is not shown.
define with_node
	@if node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then \
	    $(MAKE) --no-print-directory $(1); \
	else \
	    echo "$(1): NOT SHOWN: this is Node.js $$(node --version), and 20.19 or newer is needed"; \
	fi
endef

.PHONY: demo test test-page test-web test-described test-looks test-engines test-others test-slow cross-check check fmt bench bench-browser bench-peers rig rig-alsa rig-short setup

demo: setup
	$(CARGO) run --locked --release --package antiphon-cli --bin antiphon -- demo $(ARGS)

test: setup
	@scripts/setup.sh checks
	$(CARGO) test --locked --workspace --quiet
	$(MAKE) --no-print-directory cross-check
	$(MAKE) --no-print-directory test-web

# The engine's tests in a simulated world; types; web/dist is what its sources build; then a real Chromium and a real hub.
# What builds the page needs a newer Node.js than Debian 12 has: there the tests of the page alone are not shown.
test-web: setup
	@scripts/setup.sh web
	$(call with_node,test-page)

test-page:
	cd web && npm ci --silent && npx vitest run --silent && npm run --silent check
	scripts/check_dist.sh
	$(BUILT)
	node web/tests/e2e/e2e.mjs --antiphon "$(DEBUG)/antiphon"
	node web/tests/e2e/house.mjs --antiphon "$(DEBUG)/antiphon"

# Every page looked at in short (`npm run look` sees all sizes and states), and the hub asked what its description allows.
test-described: setup
	@scripts/setup.sh web
	$(call with_node,test-looks)
	$(BUILT)
	EXAMPLES=1 SEED=1 scripts/check_api.sh "$(DEBUG)/antiphon"

test-looks:
	cd web && npm ci --silent && npm run --silent look -- --short

test-engines: setup
	@scripts/setup.sh web
	@scripts/setup.sh engines
	$(call with_node,test-others)

test-others:
	cd web && npm ci --silent
	$(BUILT)
	node --experimental-websocket web/tests/e2e/others.mjs --antiphon "$(DEBUG)/antiphon"

# Long runs marked #[ignore], optimised: minutes.
test-slow: setup
	$(CARGO) test --locked --workspace --release -- --ignored

# The spread of two made-up recordings, by antiphon-measure and by scripts/check_spread.py: within 1 us;
# and the delay in made-up recordings of the measure track, by the lab and by scripts/check_measure.py;
# and SBC of every configuration before libsbc and ffmpeg, by scripts/check_sbc.py;
# and python-miio's client and simulator against Antiphon's device and client, by scripts/check_miio.py.
cross-check:
	@scripts/setup.sh checks
	$(BUILT)
	"$(DEBUG)/examples/cross_check" scripts/check_spread.py
	"$(DEBUG)/examples/cross_check_lab" scripts/check_measure.py
	"$(DEBUG)/examples/cross_check_sbc" scripts/check_sbc.py
	scripts/check_miio.sh "$(DEBUG)"

check: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --quiet -- -D warnings
	$(CARGO) xtask tidy
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

fmt:
	$(CARGO) fmt --all

bench: setup
	scripts/bench.sh $(ARGS)

bench-peers: setup
	@scripts/setup.sh peers
	$(CARGO) build --locked --release --quiet --package antiphon-cli --bin antiphon
	scripts/python scripts/bench_peers.py --bin "$${CARGO_TARGET_DIR:-target}/release" $(ARGS)

bench-browser: setup
	@scripts/setup.sh web
	cd web && npm ci --silent
	$(CARGO) build --locked --release --quiet --package antiphon-cli --bin antiphon
	scripts/python scripts/bench_browser.py --bin "$${CARGO_TARGET_DIR:-target}/release" $(ARGS)

rig: setup
	$(CARGO) build --locked --release --quiet --package antiphon-cli --bin antiphon
	rig/rig.sh --antiphon "$${CARGO_TARGET_DIR:-target}/release/antiphon" $(ARGS)

rig-alsa: setup
	$(CARGO) build --locked --release --quiet --package antiphon-cli --bin antiphon
	rig/cards.sh --antiphon "$${CARGO_TARGET_DIR:-target}/release/antiphon" $(ARGS)

# The short form, with the program that the tests have built: fails where a scenario failed, and says so where
# the machine could not show it. Ten minutes hold the making of the kernel where no cache has it.
rig-short: setup
	$(BUILT)
	@timeout --kill-after=30 600 rig/rig.sh --antiphon "$(DEBUG)/antiphon" --short; status=$$?; \
	case $$status in \
	    0) ;; \
	    2) echo "rig: NOT SHOWN: the lab did not start on this machine" ;; \
	    3) echo "rig: NOT SHOWN: its timing, on this machine" ;; \
	    124|137) echo "rig: NOT SHOWN: the lab was not ready within ten minutes" ;; \
	    *) exit $$status ;; \
	esac

setup:
	@scripts/setup.sh
