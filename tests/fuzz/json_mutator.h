// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

/// Mutations of a JSON document that keep it one: bytes changed at random hardly ever get past the parser.
namespace sluice::fuzz {

class JsonMutator {
 public:
  using Json = nlohmann::json;
  /// `words`: texts that mean something to what is tested.
  JsonMutator(unsigned seed, const std::vector<std::string>& words) : random_(seed), words_(words) {}

  void mutate(Json& document) {
    std::vector<Json*> nodes;
    collect(document, nodes, 0);
    for (unsigned n = 1 + below(3); n > 0; --n) {
      Json& at = *nodes[below(nodes.size())];
      const unsigned kind = below(8);
      if (kind < 2 && at.is_array() && !at.empty()) {
        change_array(at, kind == 0);
      } else if (kind < 3 && at.is_object() && !at.empty()) {
        at.erase(std::next(at.begin(), below(at.size())));
      } else if (kind < 5) {
        // Something else of the same document: most members of a kind fit where another of it stood.
        Json copy = *nodes[below(nodes.size())];
        at = std::move(copy);
      } else if (at.is_string() && kind < 7) {
        change_text(at.get_ref<std::string&>());
      } else if (!at.is_structured() || kind == 7) {
        at = value();
      }
      // Pointers into what was changed are stale.
      nodes.clear();
      collect(document, nodes, 0);
    }
  }

 private:
  static constexpr int kMaxDepth = 24;  // Below what the strict reader takes.

  unsigned below(std::size_t n) { return static_cast<unsigned>(random_() % n); }

  static void collect(Json& at, std::vector<Json*>& out, int depth) {
    if (depth > kMaxDepth) {
      at = nullptr;
      return;
    }
    out.push_back(&at);
    if (!at.is_structured()) return;
    for (auto& child : at) collect(child, out, depth + 1);
  }

  void change_array(Json& at, bool remove) {
    const unsigned i = below(at.size());
    if (remove)
      at.erase(at.begin() + i);
    else if (at.size() < 40)
      at.push_back(Json(at[i]));
  }

  void change_text(std::string& text) {
    switch (below(4)) {
      case 0:
        text = word();
        break;
      case 1:
        text.insert(below(text.size() + 1), word());
        break;
      case 2:
        text.resize(below(text.size() + 1));
        break;
      default:
        text.insert(text.begin() + below(text.size() + 1), static_cast<char>(1 + below(126)));
    }
  }

  std::string word() {
    return below(8) == 0 ? std::string(below(300), static_cast<char>('a' + below(26)))
                         : words_[below(words_.size())];
  }

  Json value() {
    switch (below(8)) {
      case 0:
        return nullptr;
      case 1:
        return below(2) == 0;
      case 2:
        return below(2) == 0 ? below(70000) : below(3);
      case 3:
        return -static_cast<int>(below(5));
      case 4:
        return Json::array({word()});
      case 5:
        return Json::object();
      default:
        return word();
    }
  }

  std::minstd_rand random_;
  const std::vector<std::string>& words_;
};

}  // namespace sluice::fuzz
