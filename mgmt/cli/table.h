// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sluice::mgmt::cli {

/// Columns as wide as their widest cell, two spaces between them. The first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// Resources of a kind ("rules"), as people want to see them.
std::string resource_table(const std::string& kind, const nlohmann::json& items);
std::string revision_table(const nlohmann::json& items);
std::string event_table(const nlohmann::json& items);
/// GET /health and a few counters, on one screen.
std::string status_screen(const nlohmann::json& health, const nlohmann::json& stats);
std::string explanation_text(const nlohmann::json& explanation);
/// {"rules": {"created": [...]...}} in lines.
std::string changes_text(const nlohmann::json& changes);

/// "forward web, api (80:20)", "redirect 301 https://", "answer 200"
std::string action_text(const nlohmann::json& action);

}  // namespace sluice::mgmt::cli
