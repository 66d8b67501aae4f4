// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/early_data.h"

#include <array>
#include <cstring>
#include <ctime>
#include <optional>
#include <string_view>

namespace sluice::l7::tls {
namespace {

int source_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// Of the client's random value (RFC 8446, 8.2), which the binder that has been verified covers, and of the session's key,
/// so that nobody else can make the same. Empty: no memory.
std::optional<ReplayGuard::Fingerprint> fingerprint_of(const SSL* ssl) {
  std::array<std::uint8_t, SSL3_RANDOM_SIZE + SSL_MAX_MASTER_KEY_LENGTH> text{};
  const std::size_t random = SSL_get_client_random(ssl, text.data(), SSL3_RANDOM_SIZE);
  const std::size_t key =
      SSL_SESSION_get_master_key(SSL_get0_session(ssl), text.data() + SSL3_RANDOM_SIZE, SSL_MAX_MASTER_KEY_LENGTH);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  const bool good = random == SSL3_RANDOM_SIZE && key != 0 &&
                    EVP_Digest(text.data(), random + key, digest.data(), nullptr, EVP_sha256(), nullptr) == 1;
  OPENSSL_cleanse(text.data(), text.size());
  if (!good) return std::nullopt;
  ReplayGuard::Fingerprint out;
  std::memcpy(&out.place, digest.data(), sizeof out.place);
  std::memcpy(&out.tag, digest.data() + sizeof out.place, sizeof out.tag);
  return out;
}

/// The session is one of the name that is asked for now (RFC 8446, 4.2.11). OpenSSL compares the protocol of ALPN.
bool same_name(const SSL* ssl) {
  const auto view = [](const char* name) { return name == nullptr ? std::string_view() : std::string_view(name); };
  return view(SSL_SESSION_get0_hostname(SSL_get0_session(ssl))) == view(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

/// Asked when all else is right: ticket, age, protocol, no second ClientHello.
int admit(SSL* ssl, void*) {
  const auto* source = static_cast<const EarlyDataSource*>(SSL_get_ex_data(ssl, source_index()));
  if (source == nullptr || source->guard == nullptr || !same_name(ssl)) return 0;
  const auto hello = fingerprint_of(ssl);
  if (!hello) return 0;
  Counter* count = nullptr;
  switch (source->guard->admit(*hello, std::time(nullptr))) {
    case ReplayGuard::Verdict::kFresh: return 1;
    case ReplayGuard::Verdict::kReplayed: count = source->replayed; break;
    case ReplayGuard::Verdict::kFull: count = source->crowded_out; break;
    case ReplayGuard::Verdict::kTooSoon: count = source->too_soon; break;
  }
  if (count != nullptr) count->add();
  return 0;
}

}  // namespace

void offer_early_data(SSL_CTX* context) {
  SSL_CTX_set_max_early_data(context, kMaxEarlyData);
  SSL_CTX_set_recv_max_early_data(context, kMaxEarlyData);
  // OpenSSL's own protection is a cache of sessions, one a context, and tickets that refer to it; ours hold all state.
  SSL_CTX_set_options(context, SSL_OP_NO_ANTI_REPLAY);
  SSL_CTX_set_allow_early_data_cb(context, admit, nullptr);
}

void use_early_data(SSL* ssl, const EarlyDataSource& source) {
  SSL_set_ex_data(ssl, source_index(), const_cast<EarlyDataSource*>(&source));
}

}  // namespace sluice::l7::tls
