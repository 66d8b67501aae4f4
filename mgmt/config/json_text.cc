// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "mgmt/config/json.h"

namespace sluice::mgmt::config {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 32;

/// Builds the document from the parser's events and stops at the first thing that a lenient builder lets
/// pass. (The library's own filter looks at all earlier elements of an array after each one: quadratic.)
class StrictBuilder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& value) override { return put(std::move(value)); }
  bool start_object(std::size_t) override { return open(json::value_t::object); }
  bool start_array(std::size_t) override { return open(json::value_t::array); }
  bool end_object() override { return open_.pop_back(), true; }
  bool end_array() override { return open_.pop_back(), true; }

  bool key(string_t& name) override {
    const auto [member, added] = open_.back()->get_ref<json::object_t&>().emplace(name, nullptr);
    if (!added) return refuse("holds the member \"" + name.substr(0, 128) + "\" twice in one object");
    member_ = &member->second;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ...": the bracket is for
    // programmers.
    const std::string_view what = e.what();
    const std::size_t bracket = what.find("] ");
    return refuse("is not JSON: " + std::string(bracket == what.npos ? what : what.substr(bracket + 2)));
  }

  Parsed<json> take() {
    Parsed<json> out;
    if (problem_.empty()) {
      out.value = std::move(root_);
    } else {
      out.errors.push_back({"", std::move(problem_)});
    }
    return out;
  }

 private:
  bool refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  /// Where the next value belongs: the root, the member whose name was just read, or the end of an array.
  json& place() {
    if (open_.empty()) return root_;
    return open_.back()->is_array() ? open_.back()->emplace_back() : *member_;
  }
  template <class T>
  bool put(T&& value) {
    place() = std::forward<T>(value);
    return true;
  }
  bool open(json::value_t kind) {
    if (open_.size() == kMaxDepth)
      return refuse("is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    json& at = place();
    at = json(kind);
    open_.push_back(&at);
    return true;
  }

  json root_;
  std::vector<json*>
      open_;  // Objects and arrays around here. They do not move: only the innermost one grows.
  json* member_ = nullptr;
  std::string problem_;
};

}  // namespace

Parsed<json> json_from_text(std::string_view text) {
  StrictBuilder builder;
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace sluice::mgmt::config
