// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/takeover.h"

#include <charconv>
#include <string_view>

namespace sluice::l7::tls {
namespace {


/// "LABEL client-random secret", the last two in hexadecimal. False: another label.
bool read_line(std::string_view line, std::string_view label, Secret& out) {
  if (!line.starts_with(label)) return false;
  const std::string_view hex = line.substr(line.rfind(' ') + 1);
  if (hex.size() % 2 != 0 || hex.size() / 2 > kMaxSecret) return false;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const char *digits = &hex[i], *end = digits + 2;
    if (std::from_chars(digits, end, out.bytes[i / 2], 16).ptr != end) return false;
  }
  out.size = static_cast<std::uint8_t>(hex.size() / 2);
  return true;
}

bool keys_13(const Suite& suite, const Secret& secret, RecordTools& tools, Direction& out) {
  out.secret = secret;
  return secret.size == hash_size(suite.hash) && tools.schedule.traffic_key(suite, secret, out.key);
}

bool keys_12(const Suite& suite, SSL& ssl, RecordTools& tools, RecordKeys& out) {
  Secret master;
  const SSL_SESSION* session = SSL_get_session(&ssl);
  master.size = static_cast<std::uint8_t>(SSL_SESSION_get_master_key(session, master.bytes.data(), kMaxSecret));
  std::array<std::uint8_t, 2 * SSL3_RANDOM_SIZE> randoms;
  if (SSL_get_server_random(&ssl, randoms.data(), SSL3_RANDOM_SIZE) != SSL3_RANDOM_SIZE ||
      SSL_get_client_random(&ssl, randoms.data() + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE) != SSL3_RANDOM_SIZE) {
    return false;
  }
  KeySchedule::KeyBlock block;
  if (!tools.schedule.key_block(suite, master, randoms, block)) return false;
  (out.at_client ? out.write : out.read).key = block.client;
  (out.at_client ? out.read : out.write).key = block.server;
  out.read.sequence = out.write.sequence = 1;  // behind Finished
  return true;
}

}  // namespace

void SecretTap::attach(SSL* ssl) {
  SSL_set_app_data(ssl, this);
  SSL_set_msg_callback(ssl, on_message);
  SSL_set_msg_callback_arg(ssl, this);
}

void SecretTap::detach(SSL* ssl) {
  SSL_set_app_data(ssl, nullptr);
  SSL_set_msg_callback(ssl, nullptr);
}

void SecretTap::keylog(const SSL* ssl, const char* line) {
  auto* tap = static_cast<SecretTap*>(SSL_get_app_data(ssl));
  if (tap == nullptr) return;
  if (!read_line(line, "CLIENT_TRAFFIC_SECRET_0 ", tap->client_)) {
    read_line(line, "SERVER_TRAFFIC_SECRET_0 ", tap->server_);
  }
}

int SecretTap::keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* tap = static_cast<SecretTap*>(SSL_get_app_data(ssl));
  if (tap == nullptr) return 0;
  tap->session_.reset(session);
  return 1;
}

void SecretTap::on_message(int sent, int, int type, const void* bytes, std::size_t size, SSL*, void* self) {
  auto& tap = *static_cast<SecretTap*>(self);
  // A message is told behind the headers of its records, so that of Finished does not count.
  if (type == SSL3_RT_HEADER) {
    if (sent != 0 && tap.finished_sent_) ++tap.sent_since_;
    if (sent == 0 && tap.finished_read_) ++tap.read_since_;
    return;
  }
  if (type == SSL3_RT_ALERT && sent != 0 && size == 2) {
    tap.internal_error_ |= static_cast<const std::uint8_t*>(bytes)[1] == SSL_AD_INTERNAL_ERROR;
    return;
  }
  if (type != SSL3_RT_HANDSHAKE || size == 0) return;
  switch (*static_cast<const std::uint8_t*>(bytes)) {
    case kFinished: (sent != 0 ? tap.finished_sent_ : tap.finished_read_) = true; break;
    case kNewSessionTicket: tap.ticket_seen_ |= sent == 0; break;
    case kKeyUpdate: tap.rekeyed_ = true; break;
    default: break;
  }
}

std::optional<RecordKeys> take_over(SSL& ssl, const SecretTap& tap, RecordTools& tools) {
  if (!tools.ready() || tap.rekeyed_) return std::nullopt;
  const Suite* suite = find_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(&ssl)));
  if (suite == nullptr || suite->tls13 != (SSL_version(&ssl) == TLS1_3_VERSION)) return std::nullopt;
  // Bytes that it has read already, and shorter records by RFC 6066, 4, are for OpenSSL to deal with.
  if (SSL_has_pending(&ssl) != 0) return std::nullopt;
  if (SSL_SESSION_get_max_fragment_length(SSL_get_session(&ssl)) != TLSEXT_max_fragment_length_DISABLED) return std::nullopt;

  RecordKeys keys;
  keys.suite = suite;
  keys.at_client = SSL_is_server(&ssl) == 0;
  if (suite->tls13) {
    keys.write.sequence = tap.sent_since_;
    keys.read.sequence = tap.read_since_;
    const Secret& read = keys.at_client ? tap.server_ : tap.client_;
    const Secret& write = keys.at_client ? tap.client_ : tap.server_;
    if (!keys_13(*suite, read, tools, keys.read) || !keys_13(*suite, write, tools, keys.write)) return std::nullopt;
  } else if (!keys_12(*suite, ssl, tools, keys)) {
    return std::nullopt;
  }
  return keys;
}

}  // namespace sluice::l7::tls
