// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <future>

#include "mgmt/daemon/daemon.h"
#include "mgmt/daemon/host.h"
#include "mgmt/daemon/log.h"
#include "mgmt/daemon/version.h"

namespace {

using namespace sluice;
using namespace sluice::mgmt::daemon;

// Documented in docs/sluice.conf.md and --help.
enum ExitStatus { kClean = 0, kFailed = 1, kUsage = 2, kCutOff = 3 };

constexpr const char* kExitHelp =
    "Exit status: 0 stopped after all requests ended (or --check found no fault); 1 could not start or run;\n"
    "2 wrong arguments or configuration file; 3 stopped with requests cut off.\n"
    "Signals: SIGTERM and SIGINT drain and stop, a second one stops at once; SIGHUP opens log files anew and "
    "reads the\n"
    "tokens again.";

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, s);
  return set;
}

int next_signal(const sigset_t& set) {
  int s = 0;
  while (sigwait(&set, &s) != 0) {
  }
  return s;
}

/// A change of 100,000 rules makes and drops millions of small objects. glibc's defaults spend a sixth of its time on growing
/// a thread's arena by single pages, on giving them back, and on merging its lists of small free chunks again and again.
/// Workers allocate nothing while they run.
void tune_heap() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_MXFAST, 0);
}

/// Private keys and what clients sent are in our memory: no copy of it for the disk, nor for a debugger of the same user.
void keep_memory_private() {
  constexpr rlimit kNone{0, 0};
  setrlimit(RLIMIT_CORE, &kNone);
  prctl(PR_SET_DUMPABLE, 0);  // where core_pattern is a program, the limit alone does not hold
}

[[noreturn]] void stop_at_once(Daemon& daemon) {
  spdlog::warn("stopped at once: running requests are cut off");
  daemon.flush_records();
  _exit(kCutOff);
}

/// Drains in a thread of its own, so that a second signal is still heard.
bool drain_or_stop(Daemon& daemon, const sigset_t& set) {
  auto drained = std::async(std::launch::async, [&] { return daemon.drain(); });
  while (drained.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    const timespec pause{0, 50'000'000};
    const int s = sigtimedwait(&set, nullptr, &pause);
    if (s == SIGTERM || s == SIGINT) stop_at_once(daemon);
  }
  return drained.get();
}

int run(const Bootstrap& config) {
  if (!config.core_dumps) keep_memory_private();
  tune_heap();
  const sigset_t set = watched_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);  // threads inherit it: signals come to sigwait() and nowhere else
  signal(SIGPIPE, SIG_IGN);
  if (const Status s = start_log(config.log); !s) {
    fmt::print(stderr, "log file {}\n", s.error().message);
    return kFailed;
  }
  auto started = Daemon::start(config);
  if (!started) {
    spdlog::error("{}", started.error().message);
    return kFailed;
  }
  Daemon& daemon = **started;
  notify_manager("READY=1");
  while (next_signal(set) == SIGHUP) {
    notify_manager("RELOADING=1");
    daemon.reload();
    notify_manager("READY=1");
  }
  notify_manager("STOPPING=1");
  const bool drained = drain_or_stop(daemon, set);
  spdlog::info(drained ? "stopped" : "stopped; some requests did not end in time and were cut off");
  return drained ? kClean : kCutOff;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("sluiced: the Sluice load balancer");
  std::string path;
  bool check = false;
  cli.add_option("-c,--config", path, "Configuration file, see docs/sluice.conf.md")->required();
  cli.add_flag("--check", check,
               "Reads the file, says what is wrong with it, and ends; needs neither root nor devices");
  cli.set_version_flag("--version", std::string("sluiced ") + kVersion);
  cli.footer(kExitHelp);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? kClean : kUsage;
  }
  const BootstrapResult config = load_bootstrap(path);
  for (const auto& e : config.errors) fmt::print(stderr, "{}\n", e.to_string());
  if (!config.ok()) return kUsage;
  if (check) return kClean;
  return run(config.value);
}
