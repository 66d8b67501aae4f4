// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED  // engines, and the methods of keys
#include "l7/tls/crypto_engine.h"

#include <openssl/engine.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "l7/tls/engine_key_exchange.h"
#include "l7/tls/engine_methods.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {
namespace {

constexpr std::array<std::pair<EngineAlgorithm, std::string_view>, 3> kAlgorithms{{
    {EngineAlgorithm::kRsa, "rsa"}, {EngineAlgorithm::kEcdsa, "ecdsa"}, {EngineAlgorithm::kX25519, "x25519"}}};

std::string g_properties;                          // NOLINT: written by CryptoEngine::load() alone
std::optional<std::string> g_software_properties;  // NOLINT: the same

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

/// A property query's clauses that must hold (property(7)). Empty: all of them must, or there are strings in it.
std::optional<std::string> without_preferences(std::string_view query) {
  std::string out;
  bool any = false;
  if (query.find_first_of("'\"") != query.npos) return std::nullopt;
  while (!query.empty()) {
    std::string_view clause = query.substr(0, query.find(','));
    query.remove_prefix(std::min(clause.size() + 1, query.size()));
    clause.remove_prefix(std::min(clause.find_first_not_of(" \t"), clause.size()));
    if (clause.starts_with('?')) any = true;
    else out.append(out.empty() ? "" : ",").append(clause);
  }
  return any ? std::optional(out) : std::nullopt;
}

int number_of(ENGINE* e, const char* command) {
  const int out = ENGINE_ctrl(e, ENGINE_CTRL_GET_CMD_FROM_NAME, 0, const_cast<char*>(command), nullptr);
  ERR_clear_error();
  return out > 0 ? out : 0;
}

}  // namespace

std::optional<EngineAlgorithm> engine_algorithm(std::string_view name) {
  const auto at = std::ranges::find(kAlgorithms, name, &decltype(kAlgorithms)::value_type::second);
  return at == kAlgorithms.end() ? std::nullopt : std::optional(at->first);
}

std::string_view name_of(EngineAlgorithm a) {
  return std::ranges::find(kAlgorithms, a, &decltype(kAlgorithms)::value_type::first)->second;
}

const std::string& server_properties() { return g_properties; }
const std::optional<std::string>& software_properties() { return g_software_properties; }

Status CryptoEngine::command(const std::string& text) const {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const char* value = equals == std::string::npos ? nullptr : text.c_str() + equals + 1;
  if (ENGINE_ctrl_cmd_string(static_cast<ENGINE*>(engine_), name.c_str(), value, 0) == 1) return Ok{};
  return Error{"engine \"" + config_.name + "\" refuses the command \"" + text + "\": " + why_not()};
}

Status CryptoEngine::load_and_start() {
  if (!config_.providers.empty()) return load_providers();
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
  // Found by its id it is in OpenSSL's list, all of which libcurl's OPENSSL_init_ssl would make everybody's methods.
  ENGINE_set_flags(e, ENGINE_get_flags(e) | ENGINE_FLAGS_NO_REGISTER_ALL);
  if (number_of(e, "ENABLE_EXTERNAL_POLLING") != 0 && (poll_ = number_of(e, "POLL")) != 0) {
    if (const Status s = command("ENABLE_EXTERNAL_POLLING"); !s) return s;
  }
  for (const std::string& text : config_.commands) {
    if (const Status s = command(text); !s) return s;
  }
  const std::vector<EngineAlgorithm> has = algorithms_of(e);
  if (has.empty()) return Error{"engine \"" + config_.name + "\" does none of RSA, ECDSA and X25519"};
  for (const EngineAlgorithm a : config_.algorithms) {
    if (std::ranges::find(has, a) == has.end()) return Error{"engine \"" + config_.name + "\" does not do " + std::string(name_of(a))};
  }
  if (config_.algorithms.empty()) config_.algorithms = has;
  if (ENGINE_init(e) != 1) return failed("does not start");
  if (const Status s = put_in_front(e, config_.algorithms); !s) {
    return Error{"engine \"" + config_.name + "\" cannot be used: " + s.error().message};
  }
  if (std::ranges::find(config_.algorithms, EngineAlgorithm::kX25519) != config_.algorithms.end()) g_properties = kEngineKeyExchange;
  ERR_clear_error();
  return Ok{};
}

Status CryptoEngine::load_providers() {
  ERR_clear_error();
  // "default" goes where another is loaded by name, and is asked first where nobody prefers another.
  std::vector<std::string> names = {"default"};
  names.insert(names.end(), config_.providers.begin(), config_.providers.end());
  for (const std::string& name : names) {
    providers_.push_back(OSSL_PROVIDER_load(nullptr, name.c_str()));
    if (providers_.back() == nullptr) return Error{"provider \"" + name + "\" cannot be loaded: " + why_not()};
  }
  if (!config_.properties.empty() && SslCtxPtr(SSL_CTX_new_ex(nullptr, config_.properties.c_str(), TLS_server_method())) == nullptr) {
    return Error{"properties \"" + config_.properties + "\" leave nothing to make a TLS context of: " + why_not()};
  }
  g_properties = config_.properties;
  g_software_properties = without_preferences(config_.properties);
  ERR_clear_error();
  return Ok{};
}

std::string CryptoEngine::title() const {
  std::string out = config_.name;
  for (const std::string& name : config_.providers) out += (out.empty() ? "" : ", ") + name;
  return out;
}

Result<const CryptoEngine*> CryptoEngine::load(const CryptoEngineConfig& config) {
  static CryptoEngine* loaded = nullptr;  // never freed: keys anywhere may have its methods
  if (loaded != nullptr) return Error{"engine \"" + loaded->title() + "\" is loaded already"};
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

}  // namespace sluice::l7::tls
