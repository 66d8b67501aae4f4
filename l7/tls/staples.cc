// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/staples.h"

#include "l7/tls/certificate_handles.h"

namespace sluice::l7::tls {

Staples::Staples(const std::vector<std::shared_ptr<const Staple>>& all) {
  by_leaf_.reserve(all.size());
  for (const auto& staple : all) by_leaf_.insert_or_assign(staple->certificate->handles().leaf.get(), staple);
}

const Staple* Staples::find(const x509_st* leaf, std::int64_t now) const {
  const auto found = by_leaf_.find(leaf);
  return found != by_leaf_.end() && now < found->second->next_update ? found->second.get() : nullptr;
}

}  // namespace sluice::l7::tls
