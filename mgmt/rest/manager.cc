// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/manager.h"

#include <fmt/format.h>

namespace sluice::mgmt::rest {
namespace {

using config::Config;
using config::FieldError;

constexpr std::size_t kMaxNamed = 20;

void find_foreign(const Call& call, const ResourceKind& kind, const Config& before, const Config& after,
                  const std::vector<std::string>& ids, std::vector<FieldError>& out) {
  const std::string caller = call.header("sluice-manager");
  for (const std::string& id : ids) {
    for (const Config* state : {&before, &after}) {
      const std::string manager = kind.manager(*state, id);
      if (manager.empty() || manager == caller) continue;
      out.push_back({fmt::format("/{}/{}", kind.member, id), fmt::format("is managed by \"{}\"", manager)});
      break;
    }
    if (out.size() >= kMaxNamed) return;
  }
}

std::optional<Reply> refusal(const std::vector<FieldError>& foreign) {
  if (foreign.empty()) return std::nullopt;
  return problem(
      409,
      fmt::format("{} {}, which would undo the change; send Sluice-Manager with that name to act for "
                  "it, or ?override_manager=true to change it all the same",
                  foreign.front().path, foreign.front().message),
      foreign);
}

bool overridden(const Call& call) { return call.parameter("override_manager").value_or("") == "true"; }

}  // namespace

std::optional<Reply> managed_by_another(const Call& call, const ResourceKind& kind, const Config& before,
                                        const Config& after, const std::vector<std::string>& ids) {
  std::vector<FieldError> foreign;
  if (!overridden(call)) find_foreign(call, kind, before, after, ids, foreign);
  return refusal(foreign);
}

std::optional<Reply> managed_by_another(const Call& call, const std::vector<KindDifference>& differing,
                                        const Config& before, const Config& after) {
  if (overridden(call)) return std::nullopt;
  std::vector<FieldError> foreign;
  for (const KindDifference& d : differing) {
    for (const auto* ids : {&d.ids.created, &d.ids.changed, &d.ids.deleted}) {
      find_foreign(call, *d.kind, before, after, *ids, foreign);
    }
  }
  return refusal(foreign);
}

}  // namespace sluice::mgmt::rest
