// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <chrono>
#include <future>
#include <thread>

#include "dataplane/base/ascii.h"
#include "dataplane/base/ip.h"
#include "mgmt/rest/connection_watch.h"
#include "mgmt/rest/dispatch.h"

namespace sluice::mgmt::rest {
namespace {

using Clock = std::chrono::steady_clock;

/// Of a refused request's body this much is read away before the answer: what is left unread when the
/// connection is closed makes the kernel send RST, which may overtake the answer.
constexpr std::size_t kDiscard = 1u << 20;       ///< Of somebody who may not send any.
constexpr std::size_t kDiscardLong = 64u << 20;  ///< Of a body that is too long.

constexpr std::size_t kMaxPath = 1024;

constexpr int kBacklog =
    128;  ///< Connections that wait for a thread; the library's own 5 would be lost SYNs.

constexpr std::chrono::seconds kStopPatience{2};

Call call_of(const httplib::Request& req) {
  Call call;
  call.method = req.method;
  call.path = req.path;
  for (const auto& [name, value] : req.params) call.query.emplace(name, value);
  for (const auto& [name, value] : req.headers) {
    std::string& slot = call.headers[ascii_lower(name)];
    slot += (slot.empty() ? "" : ", ") + value;
  }
  call.remote = fmt::format("{}:{}", req.remote_addr, req.remote_port);
  return call;
}

void write(const Reply& reply, httplib::Response& res) {
  res.status = reply.status;
  for (const auto& [name, value] : reply.headers) res.set_header(name, value);
  if (!reply.body.empty()) res.set_content(reply.body, reply.content_type);
}

/// Content-Length as a number; empty: absent or not one.
std::optional<std::uint64_t> content_length(const Call& call) {
  const std::string text = call.header("content-length");
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

Status use_certificate(SSL_CTX& ctx, const std::string& certificate, const std::string& key) {
  SSL_CTX_set_min_proto_version(&ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(&ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (SSL_CTX_use_certificate_chain_file(&ctx, certificate.c_str()) != 1)
    return Error{certificate + ": not a certificate in PEM"};
  if (SSL_CTX_use_PrivateKey_file(&ctx, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Error{key + ": not a private key in PEM that belongs to " + certificate};
  if (SSL_CTX_check_private_key(&ctx) != 1) return Error{key + ": does not belong to " + certificate};
  return Ok{};
}

/// The library's threads, and a look at the connections' ages with each new one and each idle second.
class Workers final : public httplib::TaskQueue {
 public:
  Workers(std::size_t threads, ConnectionWatch& watch) : pool_(threads), watch_(watch) {}
  // Newer versions of the library want to know whether there was room.
  auto enqueue(std::function<void()> task)
      -> decltype(std::declval<httplib::TaskQueue&>().enqueue(nullptr)) override {
    watch_.expire(Clock::now());
    return pool_.enqueue(std::move(task));
  }
  void on_idle() override { watch_.expire(Clock::now()); }
  /// What runs may end; after a moment it has to.
  void shutdown() override {
    std::promise<void> done;
    std::thread impatience([this, ended = done.get_future()] {
      if (ended.wait_for(kStopPatience) == std::future_status::timeout) watch_.end_all();
    });
    pool_.shutdown();
    done.set_value();
    impatience.join();
  }

 private:
  httplib::ThreadPool pool_;
  ConnectionWatch& watch_;
};

}  // namespace

struct Server::Impl {
  Impl(const Options& o, const Api& api, const Tokens& t)
      : options(o),
        routes(make_routes(api)),
        tokens(t),
        events(api.events),
        watch(std::chrono::seconds(o.request_timeout_s)) {
    const auto a = IpAddr::parse(o.address);
    host_check = a && a->is_loopback();
  }

  Status bind();
  void set_limits();
  void set_handlers();
  void without_body(const httplib::Request& req, httplib::Response& res);
  void with_body(const httplib::Request& req, httplib::Response& res, const httplib::ContentReader& read);
  /// The body into `call`, or the problem: 413, 408, 400.
  std::optional<Reply> read_body(Call& call, const httplib::ContentReader& read, int& library_status) const;

  const Options options;
  const RouteTable routes;
  const Tokens& tokens;
  EventLog& events;
  ConnectionWatch watch;
  bool host_check = false;
  std::unique_ptr<httplib::Server> http;
  std::uint16_t port = 0;
  socket_t listening = INVALID_SOCKET;
  std::thread thread;
};

void Server::Impl::set_limits() {
  http->new_task_queue = [this] { return new Workers(options.threads, watch); };
  http->set_idle_interval(1, 0);
  // A kept-alive connection would hold one of the few threads while it is idle.
  http->set_keep_alive_max_count(1);
  http->set_read_timeout(static_cast<time_t>(options.read_timeout_s), 0);
  http->set_write_timeout(static_cast<time_t>(options.read_timeout_s), 0);
  http->set_tcp_nodelay(true);
  // The default also sets SO_REUSEPORT, with which two instances would share the port in silence.
  http->set_socket_options([this](socket_t s) {
    const int yes = 1;
    ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    listening = s;
  });
  http->set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
}

void Server::Impl::without_body(const httplib::Request& req, httplib::Response& res) {
  Call call = call_of(req);
  auto admitted = admit(call, routes, tokens, host_check);
  if (auto* refused = std::get_if<Reply>(&admitted)) return write(*refused, res);
  write(run(*std::get<const Route*>(admitted), call, events), res);
}

std::optional<Reply> Server::Impl::read_body(Call& call, const httplib::ContentReader& read,
                                             int& library_status) const {
  const Clock::time_point end = Clock::now() + std::chrono::seconds(options.request_timeout_s);
  std::size_t seen = 0;
  bool too_big = false, too_slow = false;
  const bool whole = read([&](const char* data, std::size_t n) {
    seen += n;
    too_big = seen > options.max_body;
    too_slow = Clock::now() > end;
    if (too_slow) return false;
    if (!too_big) call.body.append(data, n);
    return seen <= options.max_body + kDiscardLong;
  });
  if (too_big) return problem(413, fmt::format("the body may hold {} bytes at most", options.max_body));
  if (too_slow)
    return problem(408, fmt::format("the body did not come within {} s", options.request_timeout_s));
  if (!whole)
    return problem(library_status >= 400 ? library_status : 400, "the body could not be read to its end");
  return std::nullopt;
}

void Server::Impl::with_body(const httplib::Request& req, httplib::Response& res,
                             const httplib::ContentReader& read) {
  Call call = call_of(req);
  // The library would wait for a body without an end, and takes multipart apart by itself.
  const auto length = content_length(call);
  const bool chunked = call.header("transfer-encoding") == "chunked";
  const bool has_body = chunked || length.value_or(0) > 0;
  const bool multipart = req.is_multipart_form_data();
  auto admitted = admit(call, routes, tokens, host_check);
  std::optional<Reply> refused;
  std::size_t discard = kDiscard;
  if (auto* r = std::get_if<Reply>(&admitted)) refused = std::move(*r);
  if (!refused && multipart)
    refused = problem(415, "the body must be application/json, not multipart/form-data");
  if (!refused && length.value_or(0) > options.max_body) {
    refused = problem(413, fmt::format("the body may hold {} bytes at most", options.max_body));
    discard = options.max_body + kDiscardLong;
  }
  if (refused) {
    std::size_t seen = 0;
    if (has_body && !multipart && length.value_or(0) <= discard) {
      read([&](const char*, std::size_t n) { return (seen += n) < discard; });
    }
    return write(*refused, res);
  }
  if (has_body) {
    if (auto bad = read_body(call, read, res.status)) return write(*bad, res);
  }
  res.status = -1;
  write(run(*std::get<const Route*>(admitted), call, events), res);
}

void Server::Impl::set_handlers() {
  // The library's own routing is by std::regex, whose stack grows with the path: it sees short paths only,
  // and only those methods that need its reader for the body.
  http->set_pre_routing_handler([this](const httplib::Request& req, httplib::Response& res) {
    if (req.path.size() > kMaxPath) {
      write(problem(414, fmt::format("the path may be {} bytes long at most", kMaxPath)), res);
      return httplib::Server::HandlerResponse::Handled;
    }
    if (req.method != "GET" && req.method != "HEAD" && req.method != "OPTIONS")
      return httplib::Server::HandlerResponse::Unhandled;
    without_body(req, res);
    return httplib::Server::HandlerResponse::Handled;
  });
  const auto full = [this](const httplib::Request& req, httplib::Response& res,
                           const httplib::ContentReader& r) { with_body(req, res, r); };
  static constexpr const char* kAny = R"([\s\S]*)";
  http->Post(kAny, full);
  http->Put(kAny, full);
  http->Patch(kAny, full);
  http->Delete(kAny, full);
  // What the library refuses by itself: requests that it cannot parse.
  http->set_error_handler(httplib::Server::Handler([](const httplib::Request&, httplib::Response& res) {
    if (res.body.empty()) {
      const Reply reply = problem(
          res.status, res.status == 400 ? "the request could not be parsed" : status_title(res.status));
      res.set_content(reply.body, reply.content_type);
    }
  }));
  http->set_exception_handler([](const httplib::Request&, httplib::Response& res, std::exception_ptr) {
    write(problem(500, "the request could not be handled"), res);
  });
}

Status Server::Impl::bind() {
  Status certificate = Ok{};
  if (options.tls) {
    http = std::make_unique<httplib::SSLServer>([&](SSL_CTX& ctx) {
      certificate = use_certificate(ctx, options.certificate_path, options.key_path);
      watch.attach(ctx);
      return certificate.ok();
    });
    if (!certificate) return certificate;
  } else {
    http = std::make_unique<httplib::Server>();
  }
  if (!http->is_valid()) return Error{"the API's TLS could not be set up"};
  set_limits();
  set_handlers();
  errno = 0;
  const int bound = options.port == 0 ? http->bind_to_any_port(options.address)
                    : http->bind_to_port(options.address, options.port) ? options.port
                                                                        : -1;
  if (bound <= 0) {
    return Error{fmt::format("the API cannot listen on {} port {}: {}", options.address, options.port,
                             errno != 0 ? std::strerror(errno) : "address not usable")};
  }
  ::listen(listening, kBacklog);
  port = static_cast<std::uint16_t>(bound);
  return Ok{};
}

Result<std::unique_ptr<Server>> Server::open(const Options& options, const Api& api, const Tokens& tokens) {
  auto impl = std::make_unique<Impl>(options, api, tokens);
  if (const Status s = impl->bind(); !s) return s.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { stop(); }

void Server::start() {
  impl_->thread = std::thread([this] {
    if (!impl_->http->listen_after_bind()) spdlog::error("the API stopped listening");
  });
}

void Server::stop() {
  if (!impl_->thread.joinable()) return;
  // stop() before the loop has begun would be forgotten.
  for (int i = 0; i < 200 && !impl_->http->is_running(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  impl_->http->stop();
  impl_->thread.join();
}

std::uint16_t Server::port() const { return impl_->port; }
const RouteTable& Server::routes() const { return impl_->routes; }

}  // namespace sluice::mgmt::rest
