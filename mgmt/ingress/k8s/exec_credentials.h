// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/result.h"
#include "mgmt/ingress/backoff.h"
#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// A program that shows us who we are (client.authentication.k8s.io/v1 and v1beta1, ExecCredential): run without a
/// shell, when a request needs what it has not got or what has expired or was refused. One run at a time, as a
/// child that the loop looks at; requests wait for it, and for `kTimeLimit` at most. Owned by the loop's thread,
/// and by those who share it only: a program that nobody waits for any more is ended with the last of them.
class ExecCredentials : public CredentialSource, public std::enable_shared_from_this<ExecCredentials> {
 public:
  struct Settings {
    std::string api_version;            ///< "client.authentication.k8s.io/v1"
    std::vector<std::string> command;   ///< Program and arguments; one with a slash is a path.
    std::map<std::string, std::string> environment;  ///< Besides our own.
    std::string info;                   ///< KUBERNETES_EXEC_INFO
    std::string install_hint;           ///< For who has not got the program.
  };
  static constexpr std::chrono::seconds kTimeLimit{60};

  explicit ExecCredentials(Settings settings, std::chrono::milliseconds time_limit = kTimeLimit)
      : settings_(std::move(settings)), time_limit_(time_limit) {}
  ~ExecCredentials() override;

  std::shared_ptr<const Credentials> current() override;
  void renew(HttpLoop& loop, Done done) override;
  void refused(const std::shared_ptr<const Credentials>& shown) override;

 private:
  bool start(std::string& why);
  void look();
  void later(HttpLoop::Clock::duration wait, std::function<void(ExecCredentials&)> step);
  bool read_output();
  void end(const std::string& why);
  void kill();

  const Settings settings_;
  const std::chrono::milliseconds time_limit_;
  HttpLoop* loop_ = nullptr;  ///< While it runs.
  std::vector<Done> waiting_;
  pid_t child_ = 0;
  int output_ = -1;
  std::string text_;
  HttpLoop::Clock::time_point deadline_{}, not_before_{};
  std::string last_failure_;
  Backoff backoff_{std::chrono::milliseconds(500), std::chrono::seconds(30)};
  std::shared_ptr<const Credentials> current_;
  std::optional<std::int64_t> expires_;  ///< Unix seconds.
};

/// What such a program printed; `expires`: Unix seconds, when it says so.
struct ShownCredentials {
  Credentials credentials;
  std::optional<std::int64_t> expires;
};
Result<ShownCredentials> read_exec_credential(const std::string& text, const std::string& api_version);

}  // namespace sluice::mgmt::ingress
