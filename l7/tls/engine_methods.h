// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/err.h>

#include <type_traits>
#include <vector>

#include "l7/tls/crypto_engine.h"

namespace sluice::l7::tls {

/// What `engine` (an ENGINE, loaded) has of these.
std::vector<EngineAlgorithm> algorithms_of(void* engine);

/// Makes new keys have methods of ours that ask `engine` for these algorithms, and do in software what it fails; X25519:
/// engine_key_exchange.h. Once a process.
Status put_in_front(void* engine, const std::vector<EngineAlgorithm>& algorithms);

/// To be told of an operation that begins now. Null: it is to be done in software, because this is no handshake that runs as a
/// job, or the engine is done without.
EngineOperations* engine_operations();

/// An operation by the engine, or else by software. Null, false, 0 and less: failed.
template <class Engine, class Software>
auto attempt(Engine engine, Software software) {
  EngineOperations* const watch = engine_operations();
  if (watch == nullptr) return software();
  const auto failed = [](auto result) {
    if constexpr (std::is_pointer_v<decltype(result)>) return result == nullptr;
    else return result <= 0;
  };
  auto out = engine();  // pauses the handshake
  if (!failed(out)) {
    watch->ended(true);
    return out;
  }
  ERR_clear_error();
  out = software();
  // What fails here as well is the fault of the input, which may be the client's.
  if (!failed(out)) watch->ended(false);
  return out;
}

}  // namespace sluice::l7::tls
