// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::l7::tls {

/// Of a server's handshakes: signatures (RSA: decryption, too), and the key exchange.
enum class EngineAlgorithm : std::uint8_t { kRsa, kEcdsa, kX25519 };
/// "rsa", "ecdsa", "x25519".
std::optional<EngineAlgorithm> engine_algorithm(std::string_view name);
std::string_view name_of(EngineAlgorithm a);

/// Which OpenSSL engine does what of handshakes; or which providers are there, and what they are preferred for.
struct CryptoEngineConfig {
  std::string name;                   ///< Its id ("qatengine"), or the absolute path of its shared object. Empty: none.
  std::vector<std::string> commands;  ///< "NAME" or "NAME=VALUE": its own control commands, before it starts.
  unsigned jobs = 64;                 ///< Handshakes of one worker that it may have at a time.
  std::vector<EngineAlgorithm> algorithms = {};  ///< What it is asked for. Empty: all of these that it has.
  std::vector<std::string> providers = {};       ///< Names, or absolute paths; with these no engine.
  std::string properties = {};                   ///< What contexts of servers prefer (property(7)). Empty: nothing.

  bool any() const { return !name.empty() || !providers.empty(); }
};

/// What contexts of servers ask OpenSSL's providers for (property(7)), after CryptoEngine::load(). Empty: nothing.
const std::string& server_properties();

/// What contexts of servers ask for while providers are done without: their properties but for what these only prefer. Empty: there
/// are none, or nothing may stand in for them.
const std::optional<std::string>& software_properties();

/// Told how the engine's operations end, while a handshake of its worker runs.
class EngineOperations {
 public:
  virtual ~EngineOperations() = default;
  /// Whether to ask the engine at all.
  virtual bool in_service() const = 0;
  /// One has ended. `ok` false: it was done again in software.
  virtual void ended(bool ok) = 0;
};

/// OpenSSL's providers beside "default", which it chooses from by `properties`, and whose operations pause a handshake or not as
/// they like; or an OpenSSL engine for operations of handshakes, one a process and as long as it: RSA (signing, decrypting), ECDSA signing,
/// X25519 (a fresh key, and the secret).
///
/// Keys that are read or made after load() have methods of ours in front of the engine's, so that an operation which the engine
/// fails is done in software within the same handshake. They ask the engine only inside a handshake that runs as a job
/// (OperationsScope): certificates of the management plane, checks of configurations and clients never meet it.
class CryptoEngine {
 public:
  /// Once, before workers and keys. Errors are for the person who wrote the configuration.
  static Result<const CryptoEngine*> load(const CryptoEngineConfig& config);
  CryptoEngine(const CryptoEngine&) = delete;
  CryptoEngine& operator=(const CryptoEngine&) = delete;

  const CryptoEngineConfig& config() const { return config_; }
  /// For people: its name, or those of the providers.
  std::string title() const;
  /// Whether operations pass through methods of ours, which tell how they end; those of providers do not.
  bool watched() const { return engine_ != nullptr; }
  /// Whether a handshake can do without it.
  bool replaceable() const { return watched() || software_properties().has_value(); }
  /// It has no thread of its own: finished operations are told from within poll().
  bool polled() const { return poll_ != 0; }
  /// Any thread; tells of operations that this thread has begun, and it may be of others'.
  void poll() const;
  /// One of its control commands, "NAME" or "NAME=VALUE".
  Status command(const std::string& text) const;

 private:
  CryptoEngine() = default;
  Status load_and_start();
  Status load_providers();
  Status start();

  CryptoEngineConfig config_;
  void* engine_ = nullptr;  ///< ENGINE
  std::vector<void*> providers_;  ///< OSSL_PROVIDER; never unloaded.
  int poll_ = 0;            ///< Number of its POLL command; 0: none.
};

/// While it lives, operations of this thread may go to the engine and are told to `operations`.
class OperationsScope {
 public:
  explicit OperationsScope(EngineOperations* operations);
  OperationsScope(const OperationsScope&) = delete;
  OperationsScope& operator=(const OperationsScope&) = delete;
  ~OperationsScope();
};

}  // namespace sluice::l7::tls
