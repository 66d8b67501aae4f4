// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/connection_watch.h"

#include <sys/socket.h>

namespace sluice::mgmt::rest {
namespace {

/// Slots of ours in OpenSSL's objects: the context knows its watch, the connection its entry.
int context_slot() {
  static const int kSlot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kSlot;
}

}  // namespace

void ConnectionWatch::attach(SSL_CTX& context) {
  SSL_CTX_set_ex_data(&context, context_slot(), this);
  SSL_CTX_set_info_callback(&context, on_state);
}

void ConnectionWatch::on_state(const SSL* ssl, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
  auto* watch = static_cast<ConnectionWatch*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_slot()));
  if (watch != nullptr) watch->add(const_cast<SSL*>(ssl));
}

void ConnectionWatch::add(SSL* ssl) {
  static const int kSlot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, on_free);
  const int fd = SSL_get_fd(ssl);
  if (fd < 0 || SSL_get_ex_data(ssl, kSlot) != nullptr) return;
  auto* entry = new Entry{this, fd};
  if (SSL_set_ex_data(ssl, kSlot, entry) != 1) {
    delete entry;
    return;
  }
  const std::lock_guard lock(mutex_);
  began_[fd] = Clock::now();
}

// The server frees the SSL object before it closes the socket, so the number is still this connection's.
void ConnectionWatch::on_free(void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
  auto* entry = static_cast<Entry*>(data);
  if (entry == nullptr) return;
  entry->owner->remove(entry->fd);
  delete entry;
}

void ConnectionWatch::remove(int fd) {
  const std::lock_guard lock(mutex_);
  began_.erase(fd);
}

void ConnectionWatch::expire(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  for (const auto& [fd, since] : began_) {
    if (now - since > longest_) ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace sluice::mgmt::rest
