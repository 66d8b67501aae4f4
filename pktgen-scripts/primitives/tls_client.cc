// SPDX-License-Identifier: Apache-2.0
// sluice-tls-client: TLS 1.3 handshakes over kernel sockets, one after the other in each of a few threads,
// for load balancers that are reached through the kernel. One JSON object on standard output; a failed
// handshake, or one of the wrong kind, fails.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Free {
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL_SESSION* p) const { SSL_SESSION_free(p); }
};
using SslPtr = std::unique_ptr<SSL, Free>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Free>;

class Socket {
 public:
  explicit Socket(const sockaddr_in& to) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    const timeval patience{5, 0};
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      close(fd_);
      throw std::runtime_error("connect failed");
    }
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

  /// Closing with unread bytes would send RST, which may overtake the end of the handshake.
  void finish() {
    ::shutdown(fd_, SHUT_WR);
    char rest[4096];
    ssize_t n = 0, all = 0;
    while ((n = recv(fd_, rest, sizeof rest, 0)) > 0) all += n;
    if (n < 0 || all == 0) throw std::runtime_error("the server did not finish the connection");
  }

 private:
  int fd_;
};

SslPtr shake_hands(SSL_CTX* context, int fd, SSL_SESSION* session) {
  SslPtr ssl(SSL_new(context));
  SSL_set_fd(ssl.get(), fd);
  if (session != nullptr) SSL_set_session(ssl.get(), session);
  if (SSL_connect(ssl.get()) != 1) throw std::runtime_error("handshake failed");
  if (SSL_session_reused(ssl.get()) != (session != nullptr ? 1 : 0))
    throw std::runtime_error("a handshake of the wrong kind");
  return ssl;
}

/// One suite, the one that Sluice prefers: nginx and HAProxy follow the client's order, which has AES-256
/// first.
ContextPtr make_context() {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  if (SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") != 1)
    throw std::runtime_error("no AES-128-GCM in this OpenSSL");
  return context;
}

/// A request makes the server's tickets readable.
SessionPtr fetch_ticket(SSL_CTX* context, const sockaddr_in& to) {
  Socket s(to);
  const SslPtr ssl = shake_hands(context, s.fd(), nullptr);
  const std::string request = "GET /static/1k HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n";
  char answer[4096];
  if (SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())) <= 0 ||
      SSL_read(ssl.get(), answer, sizeof answer) <= 0) {
    throw std::runtime_error("no answer to a request");
  }
  SSL_shutdown(ssl.get());  // a session whose connection is cut off is unfit to be resumed
  SessionPtr session(SSL_get1_session(ssl.get()));
  if (SSL_SESSION_is_resumable(session.get()) != 1) throw std::runtime_error("the server gave no ticket");
  return session;
}

struct Work {
  sockaddr_in to{};
  bool resumed = false;
  Clock::time_point end;
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::string error;
};

void run(Work& work) {
  try {
    const ContextPtr context = make_context();
    // With a cache, OpenSSL holds a ticket that was used once for unfit to be used again.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    const SessionPtr session = work.resumed ? fetch_ticket(context.get(), work.to) : nullptr;
    while (Clock::now() < work.end && !work.failed) {
      Socket s(work.to);
      SslPtr ssl = shake_hands(context.get(), s.fd(), session.get());
      SSL_shutdown(ssl.get());
      s.finish();
      ++work.done;
    }
  } catch (const std::exception& e) {
    const std::lock_guard lock(work.mutex);
    work.failed = true;
    work.error = e.what();
  }
}

/// Opens `count` connections and holds them until standard input ends; all must be alive then.
void hold(const sockaddr_in& to, std::size_t count) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = count + 64;
  files.rlim_max = std::max(files.rlim_max, files.rlim_cur);
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) throw std::runtime_error("no leave for so many open sockets");
  const ContextPtr context = make_context();
  std::vector<std::unique_ptr<Socket>> held;  // without their TLS states: nothing is said on them any more
  while (held.size() < count) {
    held.push_back(std::make_unique<Socket>(to));
    shake_hands(context.get(), held.back()->fd(), nullptr);
  }
  std::printf("{\"open\":%zu}\n", held.size());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  char rest[4096];
  for (const auto& s : held) {
    ssize_t n = 0;
    while ((n = recv(s->fd(), rest, sizeof rest, MSG_DONTWAIT)) > 0) {
    }
    if (n == 0 || errno != EAGAIN) throw std::runtime_error("the server has closed a connection");
  }
}

/// Handshakes from `threads` threads for a while.
void repeat(Work& work, int threads, double seconds) {
  const auto begin = Clock::now();
  work.end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(run, std::ref(work));
  for (std::thread& t : all) t.join();
  if (work.failed) throw std::runtime_error(work.error);
  std::printf("{\"handshakes\":%llu,\"seconds\":%.3f}\n", static_cast<unsigned long long>(work.done.load()),
              std::chrono::duration<double>(Clock::now() - begin).count());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  Work work;
  work.to.sin_family = AF_INET;
  const bool idle = words.size() == 4 && words[2] == "idle" && std::atol(words[3].c_str()) > 0;
  const bool repeated = words.size() == 5 && std::atof(words[2].c_str()) > 0 &&
                        std::atoi(words[3].c_str()) > 0 && (words[4] == "full" || words[4] == "resumed");
  if ((!idle && !repeated) || inet_pton(AF_INET, words[0].c_str(), &work.to.sin_addr) != 1) {
    std::fputs(
        "usage: sluice-tls-client ADDRESS PORT SECONDS THREADS full|resumed\n"
        "       sluice-tls-client ADDRESS PORT idle COUNT\n",
        stderr);
    return 2;
  }
  work.to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(words[1].c_str())));
  std::signal(SIGPIPE, SIG_IGN);
  try {
    if (idle) {
      hold(work.to, static_cast<std::size_t>(std::atol(words[3].c_str())));
    } else {
      work.resumed = words[4] == "resumed";
      repeat(work, std::atoi(words[3].c_str()), std::atof(words[2].c_str()));
    }
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sluice-tls-client: %s\n", e.what());
    return 1;
  }
}
