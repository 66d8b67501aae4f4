// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/key_schedule.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>

namespace sluice::l7::tls {
namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

KeySchedule::KeySchedule() {
  const std::unique_ptr<EVP_MAC, Freer<EVP_MAC_free>> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (hmac == nullptr) return;
  for (const Hash hash : {Hash::kSha256, Hash::kSha384}) {
    MacPtr made(EVP_MAC_CTX_new(hmac.get()));
    char name[] = "SHA256";
    if (hash == Hash::kSha384) std::copy_n("384", 3, name + 3);
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                 OSSL_PARAM_construct_end()};
    if (made != nullptr && EVP_MAC_CTX_set_params(made.get(), params) == 1) {
      macs_[static_cast<std::size_t>(hash)] = std::move(made);
    }
  }
}

bool KeySchedule::hmac(Hash hash, const Secret& key, std::initializer_list<std::span<const std::uint8_t>> parts,
                       Digest& out) {
  EVP_MAC_CTX* mac = macs_[static_cast<std::size_t>(hash)].get();
  bool good = EVP_MAC_init(mac, key.bytes.data(), key.size, nullptr) == 1;
  for (const auto part : parts) good = good && EVP_MAC_update(mac, part.data(), part.size()) == 1;
  std::size_t size = 0;
  return good && EVP_MAC_final(mac, out.data(), &size, out.size()) == 1;
}

bool KeySchedule::expand_label(Hash hash, const Secret& secret, std::string_view label, std::span<std::uint8_t> out) {
  constexpr std::string_view kPrefix = "tls13 ";
  const std::uint8_t head[] = {0, static_cast<std::uint8_t>(out.size()),
                               static_cast<std::uint8_t>(kPrefix.size() + label.size())};
  // An empty context, then the counter of HKDF-Expand: its first block is all that is wanted (RFC 5869, 2.3).
  const std::uint8_t tail[] = {0, 1};
  Digest block;
  const bool good = hmac(hash, secret, {head, bytes_of(kPrefix), bytes_of(label), tail}, block);
  std::copy_n(block.begin(), std::min(out.size(), hash_size(hash)), out.begin());
  OPENSSL_cleanse(block.data(), block.size());
  return good;
}

bool KeySchedule::traffic_key(const Suite& suite, const Secret& secret, TrafficKey& out) {
  return expand_label(suite.hash, secret, "key", std::span(out.key).first(key_size(suite.aead))) &&
         expand_label(suite.hash, secret, "iv", out.iv);
}

bool KeySchedule::next_secret(const Suite& suite, Secret& secret) {
  Secret next;
  next.size = static_cast<std::uint8_t>(hash_size(suite.hash));
  if (!expand_label(suite.hash, secret, "traffic upd", std::span(next.bytes).first(next.size))) return false;
  secret = next;
  return true;
}

bool KeySchedule::prf(Hash hash, const Secret& secret, std::string_view label, std::span<const std::uint8_t> seed,
                      std::span<std::uint8_t> out) {
  // P_hash: A(1) = HMAC(secret, seed), A(i) = HMAC(secret, A(i-1)); the output is HMAC(secret, A(i) + seed) one by one.
  const std::size_t size = hash_size(hash);
  Digest a, block;
  bool good = hmac(hash, secret, {bytes_of(label), seed}, a);
  while (good && !out.empty()) {
    const auto a_view = std::span<const std::uint8_t>(a).first(size);
    good = hmac(hash, secret, {a_view, bytes_of(label), seed}, block) && hmac(hash, secret, {a_view}, a);
    const std::size_t n = std::min(size, out.size());
    std::copy_n(block.begin(), n, out.begin());
    out = out.subspan(n);
  }
  OPENSSL_cleanse(a.data(), a.size());
  OPENSSL_cleanse(block.data(), block.size());
  return good;
}

bool KeySchedule::key_block(const Suite& suite, const Secret& master, std::span<const std::uint8_t> randoms,
                            KeyBlock& out) {
  const std::size_t key = key_size(suite.aead), iv = kNonceSize - suite.explicit_nonce();
  std::array<std::uint8_t, 2 * (kMaxKey + kNonceSize)> block;
  const bool good = prf(suite.hash, master, "key expansion", randoms, std::span(block).first(2 * (key + iv)));
  std::copy_n(block.begin(), key, out.client.key.begin());
  std::copy_n(block.begin() + key, key, out.server.key.begin());
  std::copy_n(block.begin() + 2 * key, iv, out.client.iv.begin());
  std::copy_n(block.begin() + 2 * key + iv, iv, out.server.iv.begin());
  OPENSSL_cleanse(block.data(), block.size());
  return good;
}

}  // namespace sluice::l7::tls
