// SPDX-License-Identifier: Apache-2.0
#include "l7/source_filter.h"

#include <algorithm>

namespace sluice::l7 {

SourceFilter::SourceFilter(Type type, const std::vector<Range>& ranges) : type_(type) {
  for (const Range& r : ranges) (r.first.is_v4() ? v4_ : v6_).push_back(r);
  merge(v4_);
  merge(v6_);
}

void SourceFilter::merge(std::vector<Range>& ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t kept = 0;
  for (const Range& r : ranges) {
    if (kept > 0 && r.first <= ranges[kept - 1].second)
      ranges[kept - 1].second = std::max(ranges[kept - 1].second, r.second);
    else
      ranges[kept++] = r;
  }
  ranges.resize(kept);
}

bool SourceFilter::admits(const IpAddr& source) const {
  const std::vector<Range>& ranges = source.is_v4() ? v4_ : v6_;
  const auto behind = std::upper_bound(ranges.begin(), ranges.end(), source,
                                       [](const IpAddr& a, const Range& r) { return a < r.first; });
  const bool found = behind != ranges.begin() && source <= std::prev(behind)->second;
  return found == (type_ == Type::kAllow);
}

}  // namespace sluice::l7
