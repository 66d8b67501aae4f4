// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/rtt.h"

#include <algorithm>

namespace sluice::l4::tcp {

void RttEstimator::sample(Duration rtt) {
  rtt = std::max<Duration>(rtt, std::chrono::microseconds(1));
  if (!has_sample()) {  // 2.2
    srtt_ = rtt;
    rttvar_ = rtt / 2;
  } else {  // 2.3, alpha 1/8, beta 1/4
    const Duration error = srtt_ > rtt ? srtt_ - rtt : rtt - srtt_;
    rttvar_ = (3 * rttvar_ + error) / 4;
    srtt_ = (7 * srtt_ + rtt) / 8;
  }
  backoff_ = 0;
}

Duration RttEstimator::rto(Duration least, Duration most) const {
  const Duration base = has_sample()     ? std::max(srtt_ + 4 * rttvar_, least)
                        : three_seconds_ ? Duration(std::chrono::seconds(3))
                                         : kInitialRto;
  return std::min(base * (1 << backoff_), most);
}

}  // namespace sluice::l4::tcp
