// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED  // engines, and the methods of keys
#include "l7/tls/engine_methods.h"

#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "l7/tls/engine_key_exchange.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {
namespace {

using RsaOperation = int (*)(int, const unsigned char*, unsigned char*, RSA*, int);
using EcSign = int (*)(int, const unsigned char*, int, unsigned char*, unsigned*, const BIGNUM*, const BIGNUM*, EC_KEY*);
using EcSetup = int (*)(EC_KEY*, BN_CTX*, BIGNUM**, BIGNUM**);
using EcSignature = ECDSA_SIG* (*)(const unsigned char*, int, const BIGNUM*, const BIGNUM*, EC_KEY*);
struct RsaOperations {
  RsaOperation encrypt = nullptr, decrypt = nullptr;
};
/// The engine's, and software's that stand in for them; written by put_in_front() alone.
struct Operations {
  RsaOperations rsa, soft_rsa;
  EcSignature sign = nullptr, soft_sign = nullptr;
};
Operations g_operations;  // NOLINT: OpenSSL hands no context to methods

thread_local EngineOperations* t_watch = nullptr;

int private_encrypt(int n, const unsigned char* from, unsigned char* to, RSA* key, int padding) {
  return attempt([=] { return g_operations.rsa.encrypt(n, from, to, key, padding); },
                 [=] { return g_operations.soft_rsa.encrypt(n, from, to, key, padding); });
}

int private_decrypt(int n, const unsigned char* from, unsigned char* to, RSA* key, int padding) {
  return attempt([=] { return g_operations.rsa.decrypt(n, from, to, key, padding); },
                 [=] { return g_operations.soft_rsa.decrypt(n, from, to, key, padding); });
}

ECDSA_SIG* sign(const unsigned char* digest, int n, const BIGNUM* inverse, const BIGNUM* r, EC_KEY* key) {
  return attempt([=] { return g_operations.sign(digest, n, inverse, r, key); },
                 [=] { return g_operations.soft_sign(digest, n, inverse, r, key); });
}

RsaOperations operations_of(const RSA_METHOD* m) {
  if (m == nullptr) return {};
  return {RSA_meth_get_priv_enc(m), RSA_meth_get_priv_dec(m)};
}

EcSignature signature_of(const EC_KEY_METHOD* m) {
  EcSign unused = nullptr;
  EcSetup setup = nullptr;
  EcSignature out = nullptr;
  if (m != nullptr) EC_KEY_METHOD_get_sign(m, &unused, &setup, &out);
  return out;
}

/// OpenSSL's own method with ours for private keys.
bool offer_rsa(ENGINE* ours, ENGINE* engine) {
  const RSA_METHOD* soft = RSA_PKCS1_OpenSSL();
  g_operations.rsa = operations_of(ENGINE_get_RSA(engine));
  g_operations.soft_rsa = operations_of(soft);
  RSA_METHOD* m = RSA_meth_dup(soft);
  if (m == nullptr) return false;
  if (g_operations.rsa.encrypt != nullptr) RSA_meth_set_priv_enc(m, private_encrypt);
  if (g_operations.rsa.decrypt != nullptr) RSA_meth_set_priv_dec(m, private_decrypt);
  return ENGINE_set_RSA(ours, m) == 1 && ENGINE_set_default_RSA(ours) == 1;
}

bool offer_ecdsa(ENGINE* ours, ENGINE* engine) {
  g_operations.sign = signature_of(ENGINE_get_EC(engine));
  g_operations.soft_sign = signature_of(EC_KEY_OpenSSL());
  EC_KEY_METHOD* m = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
  if (m == nullptr) return false;
  EcSign whole = nullptr;
  EcSetup setup = nullptr;
  EcSignature unused = nullptr;
  EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), &whole, &setup, &unused);
  EC_KEY_METHOD_set_sign(m, whole, setup, sign);  // `whole` encodes what `sign` makes
  return ENGINE_set_EC(ours, m) == 1 && ENGINE_set_default_EC(ours) == 1;
}

}  // namespace

std::vector<EngineAlgorithm> algorithms_of(void* engine) {
  auto* e = static_cast<ENGINE*>(engine);
  std::vector<EngineAlgorithm> out;
  const RsaOperations rsa = operations_of(ENGINE_get_RSA(e));
  if (rsa.encrypt != nullptr || rsa.decrypt != nullptr) out.push_back(EngineAlgorithm::kRsa);
  if (signature_of(ENGINE_get_EC(e)) != nullptr) out.push_back(EngineAlgorithm::kEcdsa);
  if (exchanges_keys(e)) out.push_back(EngineAlgorithm::kX25519);
  return out;
}

Status put_in_front(void* engine, const std::vector<EngineAlgorithm>& algorithms) {
  auto* e = static_cast<ENGINE*>(engine);
  const auto asked = [&](EngineAlgorithm a) { return std::ranges::find(algorithms, a) != algorithms.end(); };
  ENGINE* ours = ENGINE_new();
  if (ours == nullptr || ENGINE_set_id(ours, "sluice") != 1 || ENGINE_set_name(ours, "an engine, or else software") != 1 ||
      (asked(EngineAlgorithm::kRsa) && !offer_rsa(ours, e)) || (asked(EngineAlgorithm::kEcdsa) && !offer_ecdsa(ours, e))) {
    return Error{take_error_text("refused")};
  }
  return asked(EngineAlgorithm::kX25519) ? offer_key_exchange(e) : Status(Ok{});
}

EngineOperations* engine_operations() { return t_watch != nullptr && t_watch->in_service() && ASYNC_get_current_job() != nullptr ? t_watch : nullptr; }

OperationsScope::OperationsScope(EngineOperations* operations) { t_watch = operations; }
OperationsScope::~OperationsScope() { t_watch = nullptr; }

}  // namespace sluice::l7::tls
