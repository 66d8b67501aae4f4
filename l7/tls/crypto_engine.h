// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::l7::tls {

/// Which OpenSSL engine does the private-key operations of handshakes.
struct CryptoEngineConfig {
  std::string name;                   ///< Its id ("qatengine"), or the absolute path of its shared object. Empty: none.
  std::vector<std::string> commands;  ///< "NAME" or "NAME=VALUE": its own control commands, before it starts.
  unsigned jobs = 64;                 ///< Handshakes of one worker that it may have at a time.
};

/// Told how the engine's operations end, while a handshake of its worker runs.
class EngineOperations {
 public:
  virtual ~EngineOperations() = default;
  /// Whether to ask the engine at all.
  virtual bool in_service() const = 0;
  /// One has ended. `ok` false: it was done again in software.
  virtual void ended(bool ok) = 0;
};

/// An OpenSSL engine for private-key operations, one a process and as long as it: RSA (signing, decrypting) and ECDSA
/// signing. Key exchanges stay in software, where X25519 is fast.
///
/// Keys that are read after load() have methods of ours in front of the engine's, so that an operation which the engine fails
/// is done in software within the same handshake. They ask the engine only inside a handshake that runs as a job
/// (OperationsScope): certificates of the management plane, checks of configurations and clients never meet it.
class CryptoEngine {
 public:
  /// Once, before workers and keys. Errors are for the person who wrote the configuration.
  static Result<const CryptoEngine*> load(const CryptoEngineConfig& config);
  CryptoEngine(const CryptoEngine&) = delete;
  CryptoEngine& operator=(const CryptoEngine&) = delete;

  const CryptoEngineConfig& config() const { return config_; }
  /// It has no thread of its own: finished operations are told from within poll().
  bool polled() const { return poll_ != 0; }
  /// Any thread; tells of operations that this thread has begun, and it may be of others'.
  void poll() const;
  /// One of its control commands, "NAME" or "NAME=VALUE".
  Status command(const std::string& text) const;

 private:
  CryptoEngine() = default;
  Status load_and_start();
  Status start();

  CryptoEngineConfig config_;
  void* engine_ = nullptr;  ///< ENGINE
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
