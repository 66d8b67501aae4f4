// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED  // engines, and the methods of keys
#include "l7/tls/crypto_engine.h"

#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/rsa.h>

#include <memory>
#include <string_view>

#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {
namespace {

using RsaOperation = int (*)(int, const unsigned char*, unsigned char*, RSA*, int);
using EcSign = int (*)(int, const unsigned char*, int, unsigned char*, unsigned*, const BIGNUM*, const BIGNUM*, EC_KEY*);
using EcSetup = int (*)(EC_KEY*, BN_CTX*, BIGNUM**, BIGNUM**);
using EcSignature = ECDSA_SIG* (*)(const unsigned char*, int, const BIGNUM*, const BIGNUM*, EC_KEY*);

/// What the engine offers and what stands in for it; written by load() alone.
struct Operations {
  RsaOperation encrypt = nullptr, decrypt = nullptr, soft_encrypt = nullptr, soft_decrypt = nullptr;
  EcSignature sign = nullptr, soft_sign = nullptr;
};
Operations g_operations;  // NOLINT: OpenSSL hands no context to methods

thread_local EngineOperations* t_watch = nullptr;

template <class Engine, class Software>
auto attempt(Engine engine, Software software) {
  if (t_watch == nullptr || !t_watch->in_service() || ASYNC_get_current_job() == nullptr) return software();
  const auto failed = [](auto result) {
    if constexpr (std::is_pointer_v<decltype(result)>) return result == nullptr;
    else return result <= 0;
  };
  auto out = engine();  // pauses the handshake
  if (!failed(out)) {
    t_watch->ended(true);
    return out;
  }
  ERR_clear_error();
  out = software();
  // What fails here as well is the fault of the input, which may be the client's.
  if (!failed(out)) t_watch->ended(false);
  return out;
}

int private_encrypt(int n, const unsigned char* from, unsigned char* to, RSA* key, int padding) {
  return attempt([=] { return g_operations.encrypt(n, from, to, key, padding); },
                 [=] { return g_operations.soft_encrypt(n, from, to, key, padding); });
}

int private_decrypt(int n, const unsigned char* from, unsigned char* to, RSA* key, int padding) {
  return attempt([=] { return g_operations.decrypt(n, from, to, key, padding); },
                 [=] { return g_operations.soft_decrypt(n, from, to, key, padding); });
}

ECDSA_SIG* sign(const unsigned char* digest, int n, const BIGNUM* inverse, const BIGNUM* r, EC_KEY* key) {
  return attempt([=] { return g_operations.sign(digest, n, inverse, r, key); },
                 [=] { return g_operations.soft_sign(digest, n, inverse, r, key); });
}

EcSignature signature_of(const EC_KEY_METHOD* method) {
  EcSign unused = nullptr;
  EcSetup setup = nullptr;
  EcSignature out = nullptr;
  if (method != nullptr) EC_KEY_METHOD_get_sign(method, &unused, &setup, &out);
  return out;
}

/// OpenSSL's own method with ours for private keys. Null: the engine has none of these.
RSA_METHOD* rsa_method(const RSA_METHOD* engine) {
  if (engine == nullptr) return nullptr;
  const RSA_METHOD* soft = RSA_PKCS1_OpenSSL();
  g_operations.encrypt = RSA_meth_get_priv_enc(engine);
  g_operations.decrypt = RSA_meth_get_priv_dec(engine);
  g_operations.soft_encrypt = RSA_meth_get_priv_enc(soft);
  g_operations.soft_decrypt = RSA_meth_get_priv_dec(soft);
  RSA_METHOD* out = RSA_meth_dup(soft);
  if (out == nullptr) return nullptr;
  if (g_operations.encrypt != nullptr) RSA_meth_set_priv_enc(out, private_encrypt);
  if (g_operations.decrypt != nullptr) RSA_meth_set_priv_dec(out, private_decrypt);
  return out;
}

EC_KEY_METHOD* ec_method(const EC_KEY_METHOD* engine) {
  g_operations.sign = signature_of(engine);
  g_operations.soft_sign = signature_of(EC_KEY_OpenSSL());
  if (g_operations.sign == nullptr) return nullptr;
  EC_KEY_METHOD* out = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
  if (out == nullptr) return nullptr;
  EcSign whole = nullptr;
  EcSetup setup = nullptr;
  EcSignature unused = nullptr;
  EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), &whole, &setup, &unused);
  EC_KEY_METHOD_set_sign(out, whole, setup, sign);  // `whole` encodes what `sign` makes
  return out;
}

/// Makes new keys have our methods.
bool put_in_front(ENGINE* engine) {
  RSA_METHOD* rsa = rsa_method(ENGINE_get_RSA(engine));
  EC_KEY_METHOD* ec = ec_method(ENGINE_get_EC(engine));
  ENGINE* ours = ENGINE_new();
  return ours != nullptr && ENGINE_set_id(ours, "sluice") == 1 && ENGINE_set_name(ours, "an engine, or else software") == 1 &&
         (rsa == nullptr || (ENGINE_set_RSA(ours, rsa) == 1 && ENGINE_set_default_RSA(ours) == 1)) &&
         (ec == nullptr || (ENGINE_set_EC(ours, ec) == 1 && ENGINE_set_default_EC(ours) == 1));
}

/// The most telling entry of the error queue, which is emptied: one with data (which file, why not) before others.
std::string why_not() {
  std::string plain, telling;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    const char* reason = ERR_reason_error_string(code);
    if (plain.empty() && reason != nullptr) plain = reason;
    if (telling.empty() && (flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') telling = data;
  }
  if (plain.empty()) return telling.empty() ? "no reason given" : telling;
  return telling.empty() ? plain : plain + " (" + telling + ")";
}

ENGINE* find(const std::string& name) {
  if (!name.starts_with('/')) return ENGINE_by_id(name.c_str());
  ENGINE* e = ENGINE_by_id("dynamic");
  if (e != nullptr && ENGINE_ctrl_cmd_string(e, "SO_PATH", name.c_str(), 0) == 1 &&
      ENGINE_ctrl_cmd_string(e, "LOAD", nullptr, 0) == 1) {
    return e;
  }
  if (e != nullptr) ENGINE_free(e);
  return nullptr;
}

int number_of(ENGINE* e, const char* command) {
  const int out = ENGINE_ctrl(e, ENGINE_CTRL_GET_CMD_FROM_NAME, 0, const_cast<char*>(command), nullptr);
  ERR_clear_error();
  return out > 0 ? out : 0;
}

}  // namespace

Status CryptoEngine::command(const std::string& text) const {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const char* value = equals == std::string::npos ? nullptr : text.c_str() + equals + 1;
  if (ENGINE_ctrl_cmd_string(static_cast<ENGINE*>(engine_), name.c_str(), value, 0) == 1) return Ok{};
  return Error{"engine \"" + config_.name + "\" refuses the command \"" + text + "\": " + why_not()};
}

Status CryptoEngine::load_and_start() {
  const Status s = start();
  if (!s && engine_ != nullptr) ENGINE_free(static_cast<ENGINE*>(engine_));  // or it could not be loaded another time
  return s;
}

Status CryptoEngine::start() {
  const auto failed = [this](const char* what) { return Error{"engine \"" + config_.name + "\" " + what + ": " + why_not()}; };
  ERR_clear_error();
  OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, nullptr);
  ENGINE* e = find(config_.name);
  engine_ = e;
  if (e == nullptr) return failed("cannot be loaded");
  if (ENGINE_get_RSA(e) == nullptr && signature_of(ENGINE_get_EC(e)) == nullptr) {
    return Error{"engine \"" + config_.name + "\" does neither RSA nor ECDSA"};
  }
  if (number_of(e, "ENABLE_EXTERNAL_POLLING") != 0 && (poll_ = number_of(e, "POLL")) != 0) {
    if (const Status s = command("ENABLE_EXTERNAL_POLLING"); !s) return s;
  }
  for (const std::string& text : config_.commands) {
    if (const Status s = command(text); !s) return s;
  }
  if (ENGINE_init(e) != 1) return failed("does not start");
  if (!put_in_front(e)) return failed("cannot be used");
  ERR_clear_error();
  return Ok{};
}

Result<const CryptoEngine*> CryptoEngine::load(const CryptoEngineConfig& config) {
  static CryptoEngine* loaded = nullptr;  // never freed: keys anywhere may have its methods
  if (loaded != nullptr) return Error{"engine \"" + loaded->config_.name + "\" is loaded already"};
  std::unique_ptr<CryptoEngine> out(new CryptoEngine());
  out->config_ = config;
  if (const Status s = out->load_and_start(); !s) return s.error();
  loaded = out.release();
  return static_cast<const CryptoEngine*>(loaded);
}

void CryptoEngine::poll() const {
  // Straight to the function: ENGINE_ctrl takes OpenSSL's lock around all engines.
  auto* e = static_cast<ENGINE*>(engine_);
  int status = 0;
  if (poll_ != 0) ENGINE_get_ctrl_function(e)(e, poll_, 0, &status, nullptr);
}

OperationsScope::OperationsScope(EngineOperations* operations) { t_watch = operations; }
OperationsScope::~OperationsScope() { t_watch = nullptr; }

}  // namespace sluice::l7::tls
