# SPDX-License-Identifier: LGPL-2.1-or-later
# peerauth: see README.md to use it, HACKING.md to change it, `make help` for what stands here.

VARIANT ?= release
CC      ?= cc
prefix  ?= /usr
sysconfdir ?= /etc
DESTDIR ?=
V       ?= 0
VERSION := 0.1.0

ifeq ($(filter $(VARIANT),release asan tsan coverage),)
$(error VARIANT=$(VARIANT) is unknown; it is release, asan, tsan or coverage)
endif
toolchain := $(if $(findstring clang,$(CC)),clang-,)
B := build/$(toolchain)$(VARIANT)
Q := $(if $(filter 1,$(V)),,@)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
        -Wpointer-arith -Wwrite-strings -Wundef -Wimplicit-fallthrough -Wno-missing-field-initializers
CFLAGS.release  := -O2 -D_FORTIFY_SOURCE=2
CFLAGS.asan     := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS.tsan     := -O1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS.coverage := -O0 --coverage
LDFLAGS.asan    := -fsanitize=address,undefined
LDFLAGS.tsan    := -fsanitize=thread
LDFLAGS.coverage := --coverage
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DPEERAUTH_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -g -fPIC -fstack-protector-strong -fvisibility=hidden -ffunction-sections \
        -fdata-sections $(WARN) $(CFLAGS.$(VARIANT)) $(CFLAGS)
ALL_LDFLAGS = -Wl,-z,relro,-z,now,--as-needed,--gc-sections $(LDFLAGS.$(VARIANT)) $(LDFLAGS)

# Which libraries each part may use; tests/support/check-tree holds the include rules.
pkg = $(shell pkg-config --cflags --libs $(1) 2>/dev/null)
LIBS.module   = -lpam $(call pkg,libsystemd)
LIBS.broker   = $(call pkg,libsystemd sqlite3 libsodium libeconf liboath) -pthread
LIBS.cli      = $(call pkg,libsystemd sqlite3 libsodium libeconf jansson smartcols liboath libqrencode)
LIBS.notifier = $(call pkg,libsystemd libnotify)

comma := ,
objects = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))
# An archive, so that each program takes from common/ only what it calls.
COMMON       := $(B)/common.a
MODULE_OBJ   := $(call objects,pam_peerauth) $(COMMON)
BROKER_OBJ   := $(call objects,broker) $(COMMON)
CLI_OBJ      := $(call objects,cli) $(COMMON)
NOTIFIER_OBJ := $(call objects,notifier) $(COMMON)
UNIT_OBJ     := $(filter-out %/main.o,$(call objects,broker)) $(COMMON)
UNIT_TESTS   := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
BENCHES      := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/bench_*.c))
FUZZERS      := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
MODEL        := $(B)/tests/model/driver
SUPPORT      := $(patsubst tests/support/%.c,$(B)/tests/support/%,$(wildcard tests/support/*.c))

# Manual pages are made where scdoc is installed.
MANUALS  := $(if $(shell command -v scdoc 2>/dev/null),$(patsubst docs/%.scd,build/man/%,$(wildcard docs/*.scd)))

MODULE   := $(B)/pam_peerauth.so
PROGRAMS := $(B)/peerauth-broker $(B)/peerauthctl $(B)/peerauth-notifier
libdir   ?= $(prefix)/lib/$(shell $(CC) -print-multiarch 2>/dev/null)

.PHONY: all help deps check check-quick coverage demo play bench install clean format test-programs unit-tests FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(MODULE) $(PROGRAMS) $(MANUALS) compile_commands.json ## build the module, broker, notifier and peerauthctl

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24
	@echo 'Variables: VARIANT=release|asan|tsan|coverage CC=gcc|clang V=1 DESTDIR= prefix=$(prefix)'

deps: ## install the packages that building needs (asks the distribution's package manager)
	@tests/support/deps build

check: ## install what is missing, then run every test
	@tests/support/deps build check host
	@tests/support/check

check-quick: ## unit, bus and module tests of this variant only; nothing is installed or booted
	@tests/support/check --quick

demo: ## install what is missing, then show the whole product on a disposable host
	@tests/support/deps build host
	$(Q)$(MAKE) --no-print-directory all
	@tests/host/demo

play: ## a root shell in a disposable host with the demo's accounts
	@tests/support/deps build host
	$(Q)$(MAKE) --no-print-directory all
	@tests/host/play

bench: ## speed and memory, as ratios to a floor measured in the same run
	@tests/support/deps build host
	$(Q)$(MAKE) --no-print-directory all test-programs
	@tests/bench/run

coverage: ## how much of the pure files the unit tests walk; fails unless it is all of those that decide
	@tests/support/coverage

test-programs: $(UNIT_TESTS) $(BENCHES) $(FUZZERS) $(SUPPORT) $(MODEL)
unit-tests: $(UNIT_TESTS)

# A change of compiler or flags rebuilds everything below build/<variant>.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)' | cmp -s - $@ || \
	 echo '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)' > $@

$(B)/notifier/%.o: ALL_CPPFLAGS += $(filter-out -l%,$(call pkg,libnotify))
$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $<")
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define link
	$(if $(Q),@echo "  LINK    $@")
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(1) -o $@ $(filter %.o %.a,$^) $(2)
endef

$(COMMON): $(call objects,common)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(MODULE): $(MODULE_OBJ) pam_peerauth/pam_peerauth.map
	$(call link,-shared -Wl$(comma)--version-script=pam_peerauth/pam_peerauth.map$(if $(filter release,$(VARIANT)),$(comma)-z$(comma)defs),$(LIBS.module))
$(B)/peerauth-broker: $(BROKER_OBJ)
	$(call link,-pie,$(LIBS.broker))
$(B)/peerauthctl: $(CLI_OBJ)
	$(call link,-pie,$(LIBS.cli))
$(B)/peerauth-notifier: $(NOTIFIER_OBJ)
	$(call link,-pie,$(LIBS.notifier))
# Tests that make allocations fail: tests/unit/failing_alloc.h.
WRAP_ALLOC := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray strdup strndup asprintf vasprintf \
        __asprintf_chk __vasprintf_chk)
LINK.test_policy_rule := $(WRAP_ALLOC)
$(B)/tests/unit/test_qr: $(B)/cli/qr.o
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(UNIT_OBJ)
	$(call link,$(LINK.$(@F)),$(LIBS.broker) $(call pkg,libqrencode) -lcmocka -lm)
$(MODEL): $(B)/tests/model/driver.o $(B)/broker/request.o $(COMMON)
	$(call link,,$(LIBS.broker))
$(B)/tests/bench/bench_% $(B)/tests/support/%: ALL_CFLAGS += -fno-sanitize=all
$(B)/tests/bench/bench_%: $(B)/tests/bench/bench_%.o $(B)/tests/bench/floor.o $(UNIT_OBJ)
	$(call link,,$(LIBS.broker) -lpam)
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(UNIT_OBJ)
	$(call link,,$(LIBS.broker))
$(B)/tests/support/%: $(B)/tests/support/%.o
	$(call link,,$(call pkg,libsystemd) -lpam)
build/man/%: docs/%.scd
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@

compile_commands.json: Makefile $(wildcard */*.c)
	@{ echo '['; s=; for f in $(wildcard */*.c); do printf '%s{"directory":"%s","file":"%s","command":"%s"}' "$$s" \
	 "$(CURDIR)" "$$f" '$(subst ",\",$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c) '"$$f"; s=,; done; echo ']'; } > $@

install: all ## install below DESTDIR (nothing is enabled: see README.md)
	install -D -m 0644 $(MODULE) $(DESTDIR)$(libdir)/security/pam_peerauth.so
	install -D -m 0755 -t $(DESTDIR)$(prefix)/libexec/peerauth $(B)/peerauth-broker $(B)/peerauth-notifier
	install -D -m 0755 -t $(DESTDIR)$(prefix)/bin $(B)/peerauthctl
	install -D -m 0644 -t $(DESTDIR)$(prefix)/lib/peerauth packaging/peerauth.conf
	install -d -m 0755 $(DESTDIR)$(sysconfdir)/peerauth/peerauth.conf.d
	install -D -m 0644 -t $(DESTDIR)/lib/systemd/system packaging/systemd/peerauth-broker.service
	install -D -m 0644 -t $(DESTDIR)$(prefix)/lib/systemd/user packaging/systemd/peerauth-notifier.service
	install -D -m 0644 packaging/systemd/peerauth.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/peerauth.conf
	install -D -m 0644 -t $(DESTDIR)$(sysconfdir)/xdg/autostart packaging/desktop/peerauth-notifier.desktop
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/dbus-1/system.d packaging/dbus/org.peerauth.PeerAuth1.conf
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/dbus-1/system-services packaging/dbus/org.peerauth.PeerAuth1.service
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/dbus-1/interfaces packaging/dbus/interfaces/*.xml
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/pam-configs packaging/pam/peerauth packaging/pam/peerauth-session
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/polkit-1/actions packaging/polkit/org.peerauth.peerauth1.policy
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/doc/peerauth README.md LICENSE packaging/pam/peerauth-sshd.conf \
	 packaging/pam/peerauth-rescue-sshd.conf packaging/polkit/50-peerauth-reauthenticate.rules.example
	install -D -m 0644 -t $(DESTDIR)$(prefix)/share/doc/peerauth/policies docs/policies/*.conf
	$(foreach m,$(MANUALS),install -D -m 0644 -t $(DESTDIR)$(prefix)/share/man/man$(patsubst .%,%,$(suffix $(m))) $(m) &&) true

clean: ## remove everything that was built
	rm -rf build compile_commands.json

format: ## format the C sources
	clang-format -i $$(git ls-files '*.c' '*.h')

-include $(shell find $(B) -name '*.d' 2>/dev/null)
