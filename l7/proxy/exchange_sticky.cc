// SPDX-License-Identifier: Apache-2.0
// Which member a request goes to, and the cookie that leads its client back there.
#include <algorithm>

#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"
#include "l7/proxy/headers.h"
#include "l7/proxy/sticky_cookie.h"

namespace sluice::l7::proxy {
namespace {

using Kind = Stickiness::Kind;

/// None: no member has that mark, or it may not serve (drained, down).
std::optional<std::uint32_t> usable_member(const ServerGroup& group, std::uint64_t mark,
                                           const BackendTable& backends) {
  const auto at = std::lower_bound(group.by_mark.begin(), group.by_mark.end(), mark,
                                   [](const auto& entry, std::uint64_t m) { return entry.first < m; });
  if (at == group.by_mark.end() || at->first != mark) return std::nullopt;
  const Member& member = group.members[at->second];
  if (member.weight == 0 || !backends.usable(member.slot)) return std::nullopt;
  return at->second;
}

}  // namespace

/// At the first attempt the one that the client's cookie names; else whom the scheduler chooses.
std::optional<std::uint32_t> Exchange::next_member(const ServerGroup& group) {
  const Stickiness& sticky = group.stickiness;
  if (tried_count_ == 0 && sticky.kind != Kind::kNone) {
    client_mark_ = mark_in_request(request_.fields, sticky.cookie, sticky.kind == Kind::kRewrite);
    const auto kept = client_mark_ ? usable_member(group, *client_mark_, worker_.shared.backends) : std::nullopt;
    if (kept) return kept;
  }
  return worker_.picker(group_).pick(group, worker_.shared.backends, std::span(tried_.data(), tried_count_));
}

void Exchange::remember_member(const ServerGroup& group, const Member& member) {
  sticky_ = group.stickiness.kind;
  if (sticky_ == Kind::kNone) return;
  sticky_cookie_.assign(group.stickiness.cookie);
  sticky_max_age_ = group.stickiness.max_age_s;
  mark_ = member.mark;
}

void Exchange::add_cookies(ResponseContext& context) {
  if (sticky_ == Kind::kInsert && client_mark_ != mark_) {
    make_cookie(sticky_cookie_.view(), mark_, sticky_max_age_, session_->is_tls(), worker_.text);
    context.set_cookie = worker_.text;
  } else if (sticky_ == Kind::kRewrite) {
    context.marked_cookie = sticky_cookie_.view();
    context.mark = mark_;
    context.scratch = &worker_.cookie_text;
  }
}

}  // namespace sluice::l7::proxy
