// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/group_status.h"

#include "dataplane/base/ip.h"

namespace sluice::mgmt::rest {

using nlohmann::json;

std::string member_id(const config::Member& member) {
  if (!member.id.empty()) return member.id;
  const auto address = IpAddr::parse(member.address);
  return address ? Endpoint{*address, static_cast<std::uint16_t>(member.port)}.to_string() : member.address;
}

json group_status(const Api& api, const config::ServerGroup& group) {
  using Health = l7::BackendTable::Health;
  json members = json::array();
  std::size_t usable = 0;
  for (const config::Member& m : group.members) {
    const std::string id = member_id(m);
    const auto slot = api.engine.slot_of(group.id, id);
    const Health health = slot ? api.appliance.backends().health(*slot) : Health::kUnknown;
    const bool draining = m.drain || m.weight == 0;
    const std::string_view state = health == Health::kDown ? "down"
                                   : draining              ? "draining"
                                   : health == Health::kUp ? "up"
                                                           : "unknown";
    if (health != Health::kDown && !draining) ++usable;
    members.push_back({{"id", id},
                       {"address", m.address},
                       {"port", m.port},
                       {"weight", m.weight},
                       {"state", state},
                       {"active_requests", slot ? api.appliance.backends().active(*slot) : 0}});
  }
  const std::string_view state = members.empty()           ? "empty"
                                 : usable == 0             ? "down"
                                 : usable < members.size() ? "partial"
                                                           : "up";
  return {{"id", group.id}, {"name", group.name}, {"protocol", group.protocol}, {"state", state}, {"usable", usable},
          {"members", members}};
}

}  // namespace sluice::mgmt::rest
