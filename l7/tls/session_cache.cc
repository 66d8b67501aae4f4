// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/session_cache.h"

#include <algorithm>
#include <functional>

namespace sluice::l7::tls {
namespace {

bool expired(const SSL_SESSION* session) {
  const X509* peer = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  return peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0;
}

}  // namespace

SessionCache::Entry* SessionCache::set_of(const Key& key) {
  const std::uint64_t server = hash_value(key.server, key.context * 0x9e3779b97f4a7c15ull);
  return &entries_[(server ^ std::hash<std::string_view>()(key.name)) % kSets * kWays];
}

SessionCache::Entry* SessionCache::entry_of(const Key& key) {
  if (entries_.empty()) return nullptr;
  Entry* const set = set_of(key);
  Entry* const found = std::find_if(set, set + kWays, [&](const Entry& e) { return e.is(key); });
  return found == set + kWays ? nullptr : found;
}

SSL_SESSION* SessionCache::find(const Key& key) {
  Entry* const e = entry_of(key);
  if (e == nullptr) return nullptr;
  if (SSL_SESSION_is_resumable(e->session.get()) == 1 && !expired(e->session.get())) return e->session.get();
  forget(key);
  return nullptr;
}

void SessionCache::put(const Key& key, SessionPtr session) {
  if (entries_.empty()) entries_.resize(kSets * kWays);
  Entry* e = entry_of(key);
  if (e == nullptr) {
    Entry* const set = set_of(key);
    e = std::min_element(set, set + kWays, [](const Entry& a, const Entry& b) { return a.put_at < b.put_at; });
    if (!e->session) ++size_;
    e->context = key.context;
    e->server = key.server;
    e->name = key.name;
  }
  e->session = std::move(session);
  e->put_at = ++puts_;
}

void SessionCache::forget(const Key& key) {
  Entry* const e = entry_of(key);
  if (e == nullptr) return;
  e->session.reset();
  e->put_at = 0;
  --size_;
}

}  // namespace sluice::l7::tls
