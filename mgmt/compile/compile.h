// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgmt/compile/program.h"
#include "mgmt/config/model.h"

namespace sluice::mgmt::compile {

struct Input {
  /// Has passed validate() and has its defaults and addresses filled in.
  std::shared_ptr<const config::Config> config;
  const Program* previous = nullptr;
  /// Ages of rules that `previous` does not know: those of the store, at start. A rule without one is new.
  const std::map<std::string, std::uint64_t>* stored_ages = nullptr;
  std::uint32_t workers = 1;
};

struct Output {
  std::shared_ptr<const Program> program;  ///< Null when there are errors.
  std::vector<config::FieldError> errors;  ///< By id: "/rules/shop/paths/0/value".
};

/// Makes what workers run from what people wrote, keeping of `previous` what did not change. Linear in the
/// size of the configuration. New slots are taken from `slots`, which the caller throws away when the change
/// is refused.
Output compile(const Input& input, Slots& slots);

/// The published form of a program. No `tickets`: listeners give no session tickets. No `staples`: nor certificates' status.
std::unique_ptr<const l7::Snapshot> make_snapshot(const Program& program, std::uint64_t revision,
                                                  std::shared_ptr<const l7::tls::TicketKeys> tickets = nullptr,
                                                  std::shared_ptr<const l7::tls::Staples> staples = nullptr);

}  // namespace sluice::mgmt::compile
