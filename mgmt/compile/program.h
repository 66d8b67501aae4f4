// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "l7/runtime_tables.h"
#include "l7/snapshot.h"
#include "l7/tls/certificate.h"
#include "l7/tls/trust_store.h"
#include "mgmt/compile/slots.h"
#include "mgmt/config/model.h"

namespace sluice::mgmt::compile {

/// What one listener was made of, to tell what may be kept.
struct ListenerParts {
  std::vector<std::shared_ptr<const l7::tls::Certificate>> certificates;
  std::shared_ptr<const l7::tls::TrustStore> authorities;  ///< Null: clients show no certificates.
  std::vector<std::shared_ptr<const l7::Rule>> rules;  ///< In the order of their ids.
  std::shared_ptr<const l7::Listener> listener;
};

/// What a context of TLS to backends was made of. Groups with the same share one.
struct BackendParts {
  bool verify = true;
  std::shared_ptr<const l7::tls::TrustStore> authorities;    ///< Null: those of the system, or not to be verified.
  std::shared_ptr<const l7::tls::Certificate> certificate;  ///< Null: none.
  l7::tls::Policy policy;
  int depth = 0;
  friend auto operator<=>(const BackendParts&, const BackendParts&) = default;
};

/// Whose slot a BackendSlot is.
struct BackendName {
  const l7::ServerGroup* group = nullptr;  ///< Null: nobody's.
  std::size_t member = 0;
};

/// A configuration together with everything that was compiled from it, by id. Immutable. Successive programs
/// share what did not change: equal model in, the same pointer out.
struct Program {
  std::shared_ptr<const config::Config> config;
  std::map<std::string, std::shared_ptr<const l7::ServerGroup>> groups;
  std::map<std::string, std::shared_ptr<const l7::tls::Certificate>> certificates;
  std::map<std::string, std::shared_ptr<const l7::tls::TrustStore>> authorities;
  std::map<BackendParts, std::shared_ptr<const l7::tls::BackendContext>> backend_contexts;
  std::map<std::string, std::shared_ptr<const l7::Rule>> rules;
  std::map<std::string, ListenerParts> listeners;
  std::map<std::string, l7::Metered> load_balancers;
  std::uint64_t next_rule_age = 1;
  std::uint32_t group_slots = 0;      ///< Length of Snapshot::groups.
  std::vector<BackendName> backends;  ///< By BackendSlot.
};

/// All kinds of slots.
struct Slots {
  SlotAllocator groups{65536, 1024};
  SlotAllocator backends{l7::BackendTable::kCapacity, 4096};
  SlotAllocator meters{l7::limits::MeterTable::kCapacity, 64};
};

/// Slots that `a` names and `b` does not: retired by the step from a to b, new by the step from b to a.
struct SlotDifference {
  std::vector<GroupSlot> groups;
  std::vector<BackendSlot> backends;
  std::vector<l7::MeterSlot> meters;
};
SlotDifference slots_only_in(const Program& a, const Program& b);

}  // namespace sluice::mgmt::compile
