// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sluice::mgmt::ingress {

/// FNV-1a, as ten hexadecimal digits: tells names apart, protects nothing.
std::string short_hash(std::string_view text);

/// An id of an appliance's object out of parts that Kubernetes names: "k8s_shop_web_80". Kubernetes' names
/// hold no "_", so different parts give different ids; what is too long or holds other characters gets a hash
/// of the whole behind it.
std::string make_id(std::initializer_list<std::string_view> parts);

}  // namespace sluice::mgmt::ingress
