// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED  // engines
#include "l7/tls/engine_key_exchange.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/engine.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "l7/tls/engine_methods.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {
namespace {

constexpr std::size_t kBytes = 32;  // RFC 7748, 5
using Bytes = std::array<unsigned char, kBytes>;
constexpr int kKeyPair = OSSL_KEYMGMT_SELECT_KEYPAIR;
constexpr const char* kSoftware = "provider=default";

ENGINE* g_engine = nullptr;  // NOLINT: written by offer_key_exchange() alone

// ---- X25519, by the engine (null: software) ----

/// A fresh key pair.
PkeyPtr generate(ENGINE* engine) {
  const PkeyCtxPtr context(engine != nullptr ? EVP_PKEY_CTX_new_id(NID_X25519, engine)
                                             : EVP_PKEY_CTX_new_from_name(nullptr, "X25519", kSoftware));
  EVP_PKEY* out = nullptr;
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &out) != 1) return nullptr;
  return PkeyPtr(out);
}

PkeyPtr public_key(ENGINE* engine, const Bytes& raw) {
  return PkeyPtr(engine != nullptr ? EVP_PKEY_new_raw_public_key(NID_X25519, engine, raw.data(), kBytes)
                                   : EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", kSoftware, raw.data(), kBytes));
}

/// The same pair, for the other side.
PkeyPtr moved(ENGINE* engine, const EVP_PKEY* pair) {
  Bytes raw;
  std::size_t n = kBytes;
  PkeyPtr out;
  if (EVP_PKEY_get_raw_private_key(pair, raw.data(), &n) == 1 && n == kBytes) {
    out.reset(engine != nullptr ? EVP_PKEY_new_raw_private_key(NID_X25519, engine, raw.data(), kBytes)
                                : EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", kSoftware, raw.data(), kBytes));
  }
  OPENSSL_cleanse(raw.data(), kBytes);
  return out;
}

bool derive(ENGINE* engine, EVP_PKEY* pair, const Bytes& peer, unsigned char* out) {
  const PkeyPtr theirs = public_key(engine, peer);
  const PkeyCtxPtr context(theirs == nullptr        ? nullptr
                           : engine != nullptr ? EVP_PKEY_CTX_new(pair, engine)
                                                 : EVP_PKEY_CTX_new_from_pkey(nullptr, pair, kSoftware));
  std::size_t n = kBytes;
  return context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
         EVP_PKEY_derive_set_peer_ex(context.get(), theirs.get(), 0) == 1 &&
         EVP_PKEY_derive(context.get(), out, &n) == 1 && n == kBytes;
}

// ---- The provider's keys (provider-keymgmt(7)) ----

struct Key {
  Bytes public_part{};
  bool has_public = false;
  PkeyPtr pair;
  bool engines = false;  ///< `pair` is one of the engine's.
};

bool make(Key& key, ENGINE* engine) {
  key.pair = generate(engine);
  key.engines = engine != nullptr;
  std::size_t n = kBytes;
  key.has_public = key.pair != nullptr && EVP_PKEY_get_raw_public_key(key.pair.get(), key.public_part.data(), &n) == 1 && n == kBytes;
  return key.has_public;
}

bool agree(const Key& key, ENGINE* engine, const Bytes& peer, unsigned char* out) {
  if (key.engines == (engine != nullptr)) return derive(engine, key.pair.get(), peer, out);
  const PkeyPtr pair = moved(engine, key.pair.get());
  return pair != nullptr && derive(engine, pair.get(), peer, out);
}

void* key_new(void*) { return new (std::nothrow) Key(); }
void key_free(void* key) { delete static_cast<Key*>(key); }

void* key_copy(const void* from, int selection) {
  const auto& key = *static_cast<const Key*>(from);
  auto* out = new (std::nothrow) Key();
  if (out == nullptr || (selection & kKeyPair) == 0) return out;
  out->public_part = key.public_part;
  out->has_public = key.has_public;
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key.pair == nullptr) return out;
  EVP_PKEY_up_ref(key.pair.get());
  out->pair.reset(key.pair.get());
  out->engines = key.engines;
  return out;
}

int key_has(const void* key, int selection) {
  if (key == nullptr) return 0;  // an EVP_PKEY that has a kind, and nothing yet
  const auto& k = *static_cast<const Key*>(key);
  if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 && !k.has_public) return 0;
  return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || k.pair != nullptr ? 1 : 0;
}

int key_get(void* key, OSSL_PARAM params[]) {
  const auto& k = *static_cast<const Key*>(key);
  for (const auto& [name, value] : {std::pair(OSSL_PKEY_PARAM_BITS, 253), std::pair(OSSL_PKEY_PARAM_SECURITY_BITS, 128),
                                    std::pair(OSSL_PKEY_PARAM_MAX_SIZE, static_cast<int>(kBytes))}) {
    if (OSSL_PARAM* p = OSSL_PARAM_locate(params, name); p != nullptr && OSSL_PARAM_set_int(p, value) != 1) return 0;
  }
  OSSL_PARAM* p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
  return p == nullptr || (k.has_public && OSSL_PARAM_set_octet_string(p, k.public_part.data(), kBytes) == 1) ? 1 : 0;
}

const OSSL_PARAM* key_gettable(void*) {
  static const OSSL_PARAM out[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr), OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
                                   OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
                                   OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0), OSSL_PARAM_END};
  return out;
}

/// The peer's part of a key exchange: bytes from the network.
int key_set(void* key, const OSSL_PARAM params[]) {
  auto& k = *static_cast<Key*>(key);
  const OSSL_PARAM* p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
  if (p == nullptr) return 1;
  if (p->data_type != OSSL_PARAM_OCTET_STRING || p->data == nullptr || p->data_size != kBytes) return 0;
  std::copy_n(static_cast<const unsigned char*>(p->data), kBytes, k.public_part.begin());
  k.has_public = true;
  k.pair.reset();
  return 1;
}

const OSSL_PARAM* key_settable(void*) {
  static const OSSL_PARAM out[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0), OSSL_PARAM_END};
  return out;
}

struct Generation {
  int selection;
};

void* generation_new(void*, int selection, const OSSL_PARAM[]) { return new (std::nothrow) Generation{selection}; }
void generation_free(void* generation) { delete static_cast<Generation*>(generation); }

/// The group is in the key's name already.
int generation_set(void*, const OSSL_PARAM params[]) {
  const OSSL_PARAM* p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
  return p == nullptr || (p->data_type == OSSL_PARAM_UTF8_STRING && OPENSSL_strcasecmp(static_cast<const char*>(p->data), "x25519") == 0);
}

const OSSL_PARAM* generation_settable(void*, void*) {
  static const OSSL_PARAM out[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0), OSSL_PARAM_END};
  return out;
}

void* generation_run(void* generation, OSSL_CALLBACK*, void*) {
  auto key = std::unique_ptr<Key>(new (std::nothrow) Key());
  if (key == nullptr || (static_cast<const Generation*>(generation)->selection & kKeyPair) == 0) return key.release();
  const bool made = attempt([&] { return make(*key, g_engine); }, [&] { return make(*key, nullptr); });
  return made ? key.release() : nullptr;
}

// ---- The provider's key exchange (provider-keyexch(7)) ----

/// The keys are the caller's, who keeps them as long as this.
struct Exchange {
  const Key* ours = nullptr;
  Bytes peer{};
  bool has_peer = false;
};

void* exchange_new(void*) { return new (std::nothrow) Exchange(); }
void exchange_free(void* exchange) { delete static_cast<Exchange*>(exchange); }
void* exchange_copy(void* exchange) { return new (std::nothrow) Exchange(*static_cast<Exchange*>(exchange)); }

int exchange_init(void* exchange, void* key, const OSSL_PARAM[]) {
  auto& e = *static_cast<Exchange*>(exchange);
  e = {static_cast<const Key*>(key)};
  return e.ours != nullptr && e.ours->pair != nullptr ? 1 : 0;
}

int exchange_set_peer(void* exchange, void* key) {
  auto& e = *static_cast<Exchange*>(exchange);
  const auto* peer = static_cast<const Key*>(key);
  e.has_peer = peer != nullptr && peer->has_public;
  if (e.has_peer) e.peer = peer->public_part;
  return e.has_peer ? 1 : 0;
}

int exchange_derive(void* exchange, unsigned char* secret, std::size_t* length, std::size_t room) {
  const auto& e = *static_cast<const Exchange*>(exchange);
  *length = kBytes;
  if (secret == nullptr) return 1;
  if (room < kBytes || e.ours == nullptr || !e.has_peer) return 0;
  return attempt([&] { return agree(*e.ours, g_engine, e.peer, secret); },
                 [&] { return agree(*e.ours, nullptr, e.peer, secret); });
}

// ---- The provider ----

template <class F>
constexpr OSSL_DISPATCH entry(int id, F* f) {
  return {id, reinterpret_cast<void (*)()>(f)};
}

const OSSL_ALGORITHM* algorithms_for(void*, int operation, int* no_cache) {
  static const OSSL_DISPATCH keys[] = {entry(OSSL_FUNC_KEYMGMT_NEW, key_new), entry(OSSL_FUNC_KEYMGMT_FREE, key_free),
                                       entry(OSSL_FUNC_KEYMGMT_DUP, key_copy), entry(OSSL_FUNC_KEYMGMT_HAS, key_has),
                                       entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get), entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),
                                       entry(OSSL_FUNC_KEYMGMT_SET_PARAMS, key_set), entry(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, key_settable),
                                       entry(OSSL_FUNC_KEYMGMT_GEN_INIT, generation_new), entry(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, generation_free),
                                       entry(OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, generation_set),
                                       entry(OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, generation_settable),
                                       entry(OSSL_FUNC_KEYMGMT_GEN, generation_run), {0, nullptr}};
  static const OSSL_DISPATCH exchanges[] = {entry(OSSL_FUNC_KEYEXCH_NEWCTX, exchange_new), entry(OSSL_FUNC_KEYEXCH_FREECTX, exchange_free),
                                            entry(OSSL_FUNC_KEYEXCH_DUPCTX, exchange_copy), entry(OSSL_FUNC_KEYEXCH_INIT, exchange_init),
                                            entry(OSSL_FUNC_KEYEXCH_SET_PEER, exchange_set_peer),
                                            entry(OSSL_FUNC_KEYEXCH_DERIVE, exchange_derive), {0, nullptr}};
  static const OSSL_ALGORITHM key_kinds[] = {{"X25519", "provider=sluice", keys, nullptr}, {nullptr, nullptr, nullptr, nullptr}};
  static const OSSL_ALGORITHM exchange_kinds[] = {{"X25519", "provider=sluice", exchanges, nullptr}, {nullptr, nullptr, nullptr, nullptr}};
  *no_cache = 0;
  if (operation == OSSL_OP_KEYMGMT) return key_kinds;
  return operation == OSSL_OP_KEYEXCH ? exchange_kinds : nullptr;
}

/// libssl takes a group from the provider that its keys are fetched from alone (OpenSSL 3.0): so it must be told of here, too.
int capabilities(void*, const char* kind, OSSL_CALLBACK* tell, void* argument) {
  if (OPENSSL_strcasecmp(kind, "TLS-GROUP") != 0) return 0;
  char name[] = "x25519", internal[] = "X25519", algorithm[] = "X25519";
  unsigned id = 0x001d, bits = 128, kem = 0;  // RFC 8446, 4.2.7
  int min_tls = TLS1_VERSION, max_tls = 0, min_dtls = DTLS1_VERSION, max_dtls = 0;  // 0: no bound
  const OSSL_PARAM group[] = {OSSL_PARAM_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME, name, sizeof name),
                              OSSL_PARAM_utf8_string(OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, internal, sizeof internal),
                              OSSL_PARAM_utf8_string(OSSL_CAPABILITY_TLS_GROUP_ALG, algorithm, sizeof algorithm),
                              OSSL_PARAM_uint(OSSL_CAPABILITY_TLS_GROUP_ID, &id),
                              OSSL_PARAM_uint(OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &bits),
                              OSSL_PARAM_uint(OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &kem),
                              OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &min_tls),
                              OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &max_tls),
                              OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &min_dtls),
                              OSSL_PARAM_int(OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &max_dtls),
                              OSSL_PARAM_END};
  return tell(group, argument);
}

int provide(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH functions[] = {entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, algorithms_for),
                                            entry(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities), {0, nullptr}};
  static char nothing;
  *out = functions;
  *context = &nothing;
  return 1;
}

}  // namespace

bool exchanges_keys(void* engine) {
  auto* e = static_cast<ENGINE*>(engine);
  const bool out = ENGINE_get_pkey_meths(e) != nullptr && ENGINE_get_pkey_meth(e, NID_X25519) != nullptr;
  ERR_clear_error();
  return out;
}

Status offer_key_exchange(void* engine) {
  g_engine = static_cast<ENGINE*>(engine);
  // "default" first: to load another explicitly is to do without it otherwise, and who asks for neither gets the first.
  if (OSSL_PROVIDER_load(nullptr, "default") != nullptr && OSSL_PROVIDER_add_builtin(nullptr, "sluice", provide) == 1 &&
      OSSL_PROVIDER_load(nullptr, "sluice") != nullptr) {
    return Ok{};
  }
  return Error{"the provider of key exchanges: " + take_error_text("refused")};
}

}  // namespace sluice::l7::tls
