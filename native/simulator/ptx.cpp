#include "ptx.h"

#include <cstdlib>
#include <cstring>

namespace asni::sim {

namespace {

bool in_name(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }

// memmem, because points are everywhere in PTX, and string_view's own search stops at each.
size_t find(std::string_view text, std::string_view what, size_t from = 0) {
    if (from >= text.size()) return std::string_view::npos;
    const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
    return found == nullptr ? std::string_view::npos : size_t(static_cast<const char*>(found) - text.data());
}

std::string_view name_at(std::string_view text, size_t from) {
    size_t end = from;
    while (end < text.size() && in_name(text[end])) end++;
    return text.substr(from, end - from);
}

size_t behind(size_t bytes, size_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

Ptx::Ptx(std::string ptx) : text(std::move(ptx)) {
    constexpr std::string_view entry = ".entry ", shared = ".shared .align ", type = ".b8 ";
    const std::string_view all = text;
    for (size_t at = find(all, shared); at != std::string_view::npos; at = find(all, shared, at + 1)) {
        size_t number = at + shared.size(), word = find(all, type, number);
        if (word == std::string_view::npos) break;
        std::string_view name = name_at(all, word + type.size());
        size_t size = word + type.size() + name.size() + 1;
        if (size >= all.size() || all[size - 1] != '[') continue;
        arrays.push_back({name, unsigned(atoi(&all[number])), unsigned(atoi(&all[size])), all[size] == ']'});
    }
    for (size_t at = find(all, entry); at != std::string_view::npos;) {
        size_t from = at + entry.size(), end = find(all, "\n}", from);
        std::string_view body = all.substr(from, end == std::string_view::npos ? end : end - from);
        bodies.emplace(name_at(body, 0), body);
        at = find(all, entry, from + body.size());
    }
}

unsigned Ptx::static_shared_bytes(const std::string& kernel) const {
    auto body = bodies.find(kernel);
    if (body == bodies.end()) return 0;
    size_t bytes = 0, dynamic_alignment = 1;
    for (const Array& array : arrays) {
        if (find(body->second, array.name) == std::string_view::npos) continue;
        if (array.dynamic) {
            dynamic_alignment = array.alignment;
        } else {
            bytes = behind(bytes, array.alignment) + array.bytes;
        }
    }
    return unsigned(behind(bytes, dynamic_alignment));
}

}  // namespace asni::sim
