// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 5'000'000;

json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  std::int64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec == std::errc{} && end == text.data() + text.size()) {
    return number >= 0 ? json(static_cast<std::uint64_t>(number)) : json(number);
  }
  return text;
}

json convert(const YAML::Node& node, int depth, std::size_t& nodes) {
  if (depth > kMaxDepth || ++nodes > kMaxNodes)
    throw std::length_error("it is nested too deeply or too large");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node);
    case YAML::NodeType::Sequence: {
      json out = json::array();
      for (const auto& item : node) out.push_back(convert(item, depth + 1, nodes));
      return out;
    }
    case YAML::NodeType::Map: {
      json out = json::object();
      for (const auto& entry : node)
        out[entry.first.as<std::string>()] = convert(entry.second, depth + 1, nodes);
      return out;
    }
    default:
      return nullptr;
  }
}

}  // namespace

Result<std::vector<json>> json_from_yaml(const std::string& text) {
  std::vector<json> out;
  try {
    std::size_t nodes = 0;
    for (const YAML::Node& document : YAML::LoadAll(text)) out.push_back(convert(document, 0, nodes));
  } catch (const std::exception& e) {  // yaml-cpp's way of saying so
    return Error{e.what()};
  }
  return out;
}

}  // namespace sluice::mgmt::ingress
