// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/exec_credentials.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "mgmt/config/names.h"
#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/certificate_check.h"
#include "mgmt/ingress/model/json_access.h"
#include "mgmt/ingress/wall_clock.h"

extern char** environ;

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;
using Clock = HttpLoop::Clock;

constexpr std::chrono::milliseconds kLook{20};
constexpr std::size_t kMaxOutput = 1u << 20;

std::vector<std::string> environment_of(const std::map<std::string, std::string>& more) {
  std::vector<std::string> out;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string one = *at;
    if (!more.contains(one.substr(0, one.find('=')))) out.push_back(one);
  }
  for (const auto& [name, value] : more) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& one : texts) out.push_back(one.data());
  out.push_back(nullptr);
  return out;
}

/// What a child gets: our standard error, its own standard output, nothing else that is open here, no signals blocked
/// or ignored, and a process group, so that it can be ended with all that it started.
class SpawnOptions {
 public:
  explicit SpawnOptions(int output) {
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnOptions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

std::string ended_how(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Result<ShownCredentials> read_exec_credential(const std::string& output, const std::string& api_version) {
  const json document = json::parse(output, nullptr, false);
  if (text(document, "kind") != "ExecCredential") return Error{"it printed no ExecCredential"};
  if (text(document, "apiVersion") != api_version)
    return Error{"it printed an ExecCredential of \"" + text(document, "apiVersion").substr(0, 80) + "\", not of \"" +
                 api_version + "\""};
  const json& status = member(document, "status");
  ShownCredentials out;
  out.credentials = {text(status, "token"), text(status, "clientCertificateData"), text(status, "clientKeyData")};
  const Credentials& c = out.credentials;
  if (c.client_certificate.empty() != c.client_key.empty())
    return Error{"it printed one of clientCertificateData and clientKeyData"};
  if (c.token.empty() && c.client_certificate.empty())
    return Error{"it printed neither a token nor a client certificate"};
  if (!c.client_certificate.empty()) {
    const auto facts = check_certificate(c.client_certificate, c.client_key, unix_seconds_now());
    if (!facts.problem.empty()) return Error{"its client certificate cannot be used: " + facts.problem};
  }
  if (!config::is_visible_ascii(c.token)) return Error{"its token is none"};
  if (const std::string expires = text(status, "expirationTimestamp"); !expires.empty()) {
    out.expires = unix_seconds_of(expires);
    if (!out.expires) return Error{"its expirationTimestamp is no time of RFC 3339"};
  }
  return out;
}

ExecCredentials::~ExecCredentials() { kill(); }

std::shared_ptr<const Credentials> ExecCredentials::current() {
  if (expires_ && unix_seconds_now() >= *expires_) current_ = nullptr;
  return current_;
}

/// Of others than we have now: somebody else has renewed them meanwhile.
void ExecCredentials::refused(const std::shared_ptr<const Credentials>& shown) {
  if (shown == current_) current_ = nullptr;
}

void ExecCredentials::renew(HttpLoop& loop, Done done) {
  loop_ = &loop;
  waiting_.push_back(std::move(done));
  if (child_ != 0 || waiting_.size() > 1) return;  // It runs, or is about to.
  std::string why = last_failure_;
  if (Clock::now() < not_before_ || !start(why)) {
    return later({}, [why](ExecCredentials& self) { self.end(why); });
  }
  deadline_ = Clock::now() + time_limit_;
  later(kLook, [](ExecCredentials& self) { self.look(); });
}

/// Nobody may want these any more by then, or only those who wait, until they are told.
void ExecCredentials::later(Clock::duration wait, std::function<void(ExecCredentials&)> step) {
  loop_->after(wait, [weak = weak_from_this(), step = std::move(step)] {
    if (const auto self = weak.lock()) step(*self);
  });
}

bool ExecCredentials::start(std::string& why) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    why = std::strerror(errno);
    return false;
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  auto environment = settings_.environment;
  environment["KUBERNETES_EXEC_INFO"] = settings_.info;
  auto arguments = settings_.command, variables = environment_of(environment);
  const SpawnOptions options(ends[1]);
  const int failed = ::posix_spawnp(&child_, arguments[0].c_str(), &options.files, &options.attributes,
                                    pointers(arguments).data(), pointers(variables).data());
  ::close(ends[1]);
  output_ = ends[0];
  text_.clear();
  if (failed == 0) return true;
  child_ = 0;
  kill();
  why = std::strerror(failed);
  if (!settings_.install_hint.empty()) why += "; " + settings_.install_hint;
  return false;
}

/// Whether there may be more.
bool ExecCredentials::read_output() {
  char piece[4096];
  for (;;) {
    const ssize_t n = ::read(output_, piece, sizeof piece);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    text_.append(piece, static_cast<std::size_t>(n));
    if (text_.size() > kMaxOutput) return false;
  }
}

void ExecCredentials::look() {
  int status = 0;
  const bool open = read_output();
  if (text_.size() > kMaxOutput) return end("it printed more than " + std::to_string(kMaxOutput) + " bytes");
  if (Clock::now() >= deadline_)
    return end("it did not end within " + std::to_string(time_limit_.count() / 1000) + " s");
  // What it started may hold its output open; when it has ended itself, all that it said is there.
  if (::waitpid(child_, &status, WNOHANG) == child_) {
    if (open) read_output();
    child_ = 0;
    return end(ended_how(status));
  }
  later(kLook, [](ExecCredentials& self) { self.look(); });
}

/// `why`: it failed. Empty: what it printed decides.
void ExecCredentials::end(const std::string& why) {
  kill();
  std::string failure = why;
  if (failure.empty()) {
    auto shown = read_exec_credential(text_, settings_.api_version);
    if (shown) {
      current_ = std::make_shared<const Credentials>(std::move(shown->credentials));
      expires_ = shown->expires;
      backoff_.reset();
    } else {
      failure = shown.error().message;
    }
  }
  text_.clear();
  if (!failure.empty() && Clock::now() >= not_before_) {
    not_before_ = Clock::now() + backoff_.next();
    if (failure != last_failure_)
      log_line("warning", "credentials", {{"command", settings_.command[0]}, {"error", failure}});
  }
  last_failure_ = failure;
  const auto done = std::exchange(waiting_, {});
  for (const Done& d : done) d(failure.empty() ? current_ : nullptr, settings_.command[0] + ": " + failure);
}

void ExecCredentials::kill() {
  if (output_ >= 0) ::close(output_);
  output_ = -1;
  if (child_ == 0) return;
  ::kill(-child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  child_ = 0;
}

}  // namespace sluice::mgmt::ingress
