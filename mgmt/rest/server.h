// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/result.h"
#include "mgmt/rest/api.h"
#include "mgmt/rest/auth.h"

namespace sluice::mgmt::rest {

/// The management server: HTTPS by default, one request a connection, a few threads of its own. For each
/// request: Host check, route, token and role, body (bounded), handler, audit line.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8443;  ///< 0: any free one, see Server::port().
    bool tls = true;
    std::string certificate_path, key_path;  ///< PEM; with tls.
    std::size_t max_body = 64u << 20;        ///< Bytes; above: 413.
    std::size_t threads = 8;
    unsigned read_timeout_s = 10;     ///< Without a byte.
    unsigned request_timeout_s = 60;  ///< From the first byte of the connection to the last one of the body.
  };

  /// Binds, but answers only after start(). Errors name the address or the file.
  static Result<std::unique_ptr<Server>> open(const Options& options, const Api& api, const Tokens& tokens);
  ~Server();

  void start();
  /// Answers what runs, accepts nothing new, returns when its threads are gone.
  void stop();
  std::uint16_t port() const;
  const RouteTable& routes() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::mgmt::rest
