// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/name_resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "dataplane/base/ip.h"

namespace sluice::mgmt::ingress {
namespace {

constexpr std::chrono::milliseconds kLook{50};
constexpr std::size_t kMaxAddresses = 64;  // Of one name.

/// None: the DNS did not answer. Empty: there is no such name, or it has no address.
std::optional<std::vector<std::string>> resolve(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // The final dot keeps the search list of resolv.conf out.
  const int status = ::getaddrinfo((name + ".").c_str(), nullptr, &hints, &found);
  if (status == EAI_NONAME || status == EAI_NODATA) return std::vector<std::string>();
  if (status != 0) return std::nullopt;
  std::vector<std::string> out;
  for (const addrinfo* a = found; a != nullptr && out.size() < kMaxAddresses; a = a->ai_next) {
    if (a->ai_family == AF_INET)
      out.push_back(IpAddr::v4_bytes(&reinterpret_cast<const sockaddr_in*>(a->ai_addr)->sin_addr).to_string());
    if (a->ai_family == AF_INET6)
      out.push_back(IpAddr::v6_bytes(&reinterpret_cast<const sockaddr_in6*>(a->ai_addr)->sin6_addr).to_string());
  }
  ::freeaddrinfo(found);
  // The DNS turns answers round; that is no change.
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

/// Between the loop's thread and the one that waits for the DNS, which ends by itself when nobody listens any more.
struct NameResolver::Shared {
  std::mutex mutex;
  std::condition_variable work;
  std::deque<std::string> queue;
  std::vector<std::pair<std::string, std::optional<std::vector<std::string>>>> answers;
  bool ended = false;

  static void run(const std::shared_ptr<Shared>& shared) {
    std::unique_lock lock(shared->mutex);
    for (;;) {
      shared->work.wait(lock, [&] { return shared->ended || !shared->queue.empty(); });
      if (shared->ended) return;
      const std::string name = std::move(shared->queue.front());
      shared->queue.pop_front();
      lock.unlock();
      auto answer = resolve(name);
      lock.lock();
      shared->answers.emplace_back(name, std::move(answer));
    }
  }
};

NameResolver::NameResolver(HttpLoop& loop, std::chrono::seconds interval, std::function<void()> changed)
    : loop_(loop), interval_(interval), changed_(std::move(changed)), shared_(std::make_shared<Shared>()) {
  // Detached: a lookup may take many seconds, and an end of the program must not wait for it.
  std::thread(Shared::run, shared_).detach();
}

NameResolver::~NameResolver() {
  loop_.cancel(next_round_);
  loop_.cancel(next_look_);
  const std::scoped_lock lock(shared_->mutex);
  shared_->ended = true;
  shared_->work.notify_all();
}

void NameResolver::want(const std::set<std::string>& names) {
  if (names == wanted_) return;
  wanted_ = names;
  std::erase_if(known_, [&](const auto& entry) { return !wanted_.contains(entry.first); });
  ask();
}

/// Everything that is wanted and not being asked for.
void NameResolver::ask() {
  loop_.cancel(std::exchange(next_round_, 0));
  if (wanted_.empty()) return;
  {
    const std::scoped_lock lock(shared_->mutex);
    for (const std::string& name : wanted_) {
      if (asked_.insert(name).second) shared_->queue.push_back(name);
    }
    shared_->work.notify_one();
  }
  if (next_look_ == 0) next_look_ = loop_.after(kLook, [this] { collect(); });
  next_round_ = loop_.after(interval_, [this] { ask(); });
}

void NameResolver::collect() {
  next_look_ = 0;
  decltype(shared_->answers) answers;
  {
    const std::scoped_lock lock(shared_->mutex);
    answers.swap(shared_->answers);
  }
  bool news = false;
  for (auto& [name, addresses] : answers) {
    asked_.erase(name);
    if (!wanted_.contains(name)) continue;
    if (!addresses) {
      ++failures_;
      continue;
    }
    const auto [entry, first] = known_.try_emplace(name, *addresses);
    if (!first && entry->second == *addresses) continue;
    entry->second = std::move(*addresses);
    news = true;
  }
  if (!asked_.empty()) next_look_ = loop_.after(kLook, [this] { collect(); });
  if (news) changed_();
}

}  // namespace sluice::mgmt::ingress
