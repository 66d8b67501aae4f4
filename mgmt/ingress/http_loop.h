// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::mgmt::ingress {

class HttpLoop;

/// What shows a server who we are. Certificate and key: PEM. A connection serves those only that it was made with.
struct Credentials {
  std::string token, client_certificate, client_key;
};

/// Credentials that come from elsewhere, and end.
class CredentialSource {
 public:
  /// Null, and why: there are none.
  using Done = std::function<void(std::shared_ptr<const Credentials>, const std::string& why)>;
  virtual ~CredentialSource() = default;
  /// Null: they have to be renewed.
  virtual std::shared_ptr<const Credentials> current() = 0;
  /// `done` comes from the loop.
  virtual void renew(HttpLoop& loop, Done done) = 0;
  /// A server did not take these (401; of a client certificate also: it hung up).
  virtual void refused(const std::shared_ptr<const Credentials>& shown) = 0;
};

/// How to reach and verify a server, and how to show oneself. Files are read anew for each connection, so
/// that what rotates is taken over.
struct Server {
  std::string url;  ///< "https://10.0.0.1:6443", no path.
  std::string ca_file, ca_pem;
  std::string token, token_file;
  std::string client_certificate, client_key;  ///< PEM
  std::string client_certificate_file, client_key_file;
  bool insecure = false;
  std::string tls_server_name;  ///< By which its certificate is asked for and verified; empty: the URL's host.
  std::string proxy_url;        ///< "http://", "https://", "socks5://"; empty: what the environment says.
  std::shared_ptr<CredentialSource> credentials;
  friend bool operator==(const Server&, const Server&) = default;
};

struct HttpRequest {
  std::string method = "GET";
  std::string path;  ///< With query.
  std::string body;
  std::vector<std::string> headers;
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_body = 64u << 20;
  /// A stream: gets each piece of a 200's body instead of the response; false ends it.
  std::function<bool(std::string_view)> on_data;
};

struct HttpResponse {
  int status = 0;  ///< 0: none came, see `error`.
  std::string body, error;
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  bool good() const { return status >= 200 && status < 300; }
};

/// All that the controller waits for: HTTP answers (libcurl's multi interface) and timers, on one thread. A
/// callback may start and cancel anything; it never comes from inside start() or cancel().
class HttpLoop {
 public:
  using Id = std::uint64_t;  ///< 0 is none.
  using Clock = std::chrono::steady_clock;
  using Done = std::function<void(HttpResponse)>;

  HttpLoop();
  ~HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;

  Id start(const Server& server, HttpRequest request, Done done);
  Id after(Clock::duration delay, std::function<void()> callback);
  /// Of a request or a timer: its callback will not come. Unknown ids and 0 are no error.
  void cancel(Id id);

  /// Waits for what comes next, at most `longest`, and runs the callbacks that are due.
  void poll(Clock::duration longest);
  /// From any thread, or a signal handler: ends a wait.
  void wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::mgmt::ingress
