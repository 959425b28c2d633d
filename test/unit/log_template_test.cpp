#include "core/log_template.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "core/message_template.hpp"

namespace vigil {
namespace {

using Lines = std::vector<std::string>;

// The template of each line after learning from all of them.
Lines learned(const Lines& lines, const Lines& apart = {}, std::uint32_t enough = kEnoughWords) {
  Lines templates;
  for (const std::string& line : lines) {
    std::pmr::string out;
    message_template(line, out);
    templates.emplace_back(out);
  }
  const std::set<std::string> distinct(templates.begin(), templates.end());
  const std::vector<std::string_view> views(distinct.begin(), distinct.end());
  const std::vector<std::string_view> kept(apart.begin(), apart.end());
  const LearnedTemplates result =
      learn_log_templates(views, kept, enough, std::pmr::get_default_resource());
  std::map<std::string, std::string, std::less<>> merged;
  for (std::size_t i = 0; i < views.size(); ++i)
    merged.emplace(views[i], result.merged[i] == LearnedTemplates::kAlone
                                 ? std::string(views[i])
                                 : std::string(result.texts[result.merged[i]]));
  for (std::string& one : templates) one = merged.at(one);
  return templates;
}

std::set<std::string> kinds(const Lines& lines, const Lines& apart = {},
                            std::uint32_t enough = kEnoughWords) {
  const Lines out = learned(lines, apart, enough);
  return {out.begin(), out.end()};
}

// The line with each word in the place of %.
Lines with(std::string_view line, std::initializer_list<std::string_view> words) {
  Lines out;
  const std::size_t at = line.find('%');
  for (const std::string_view word : words)
    out.push_back(std::string(line.substr(0, at)) + std::string(word) +
                  std::string(line.substr(at + 1)));
  return out;
}

Lines operator+(Lines one, const Lines& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

using Set = std::set<std::string>;
const std::initializer_list<std::string_view> kFive = {"amber", "birch", "cedar", "dogwood", "elm"};
const std::initializer_list<std::string_view> kFour = {"amber", "birch", "cedar", "dogwood"};

TEST(LogTemplate, FiveWordsAreOne) {
  EXPECT_EQ(kinds(with("service % is up", kFive)), Set{"service <*> is up"});
  EXPECT_EQ(kinds(with("service % is up", kFour)).size(), 4u);
  EXPECT_EQ(kinds(with("service % is up", {"amber", "birch"}), {}, 2), Set{"service <*> is up"});
}

TEST(LogTemplate, TheOrderOfTheLinesDoesNotMatter) {
  Lines lines = with("service % is up", kFive) + with("% connected to web from % host", kFive) +
                with("lease for % renewed", {"amber", "birch"}) +
                with("lease for % renewed", {"node-1", "10.0.0.1", "null", "oak", "fir", "yew"});
  for (const std::string_view one : kFive)
    for (const std::string_view other : kFive)
      lines.push_back("copied " + std::string(one) + " over to " + std::string(other));
  const Set expected = kinds(lines);
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::ranges::shuffle(lines, random);
    EXPECT_EQ(kinds(lines), expected);
  }
}

TEST(LogTemplate, WordsWithMeaningAreNoValues) {
  // Forms of verbs and states, words that every sentence needs, codes.
  for (const Lines& lines :
       {with("session for web %", {"opened", "closed", "started", "failed", "refused", "reset"}),
        with("link of port is %", {"up", "down", "unknown", "lost", "ready", "busy", "idle"}),
        with("copy it % disk", {"to", "from", "on", "over", "into", "via"}),
        with("request failed with status code %", {"404", "500", "502", "403", "401", "429"}),
        with("job ended state=%", {"RUNNING", "KILLED", "QUEUED", "BROKEN", "WEIRD", "ODD"}),
        with("job ended reason: %", {"oom", "disk", "net", "quota", "cpu", "power"})})
    EXPECT_EQ(kinds(lines).size(), lines.size()) << lines[0];
}

TEST(LogTemplate, KeysOfOneSentenceAreValues) {
  EXPECT_EQ(kinds(with("environment: %=5", kFive)), Set{"environment: <*>=<val>"});
  EXPECT_EQ(kinds(with("environment:%=5", kFive) + with("environment:%=", {"a.b", "c.d"}) +
                  Lines{"environment:os.name=Any System of the year", "environment:x.y= z, now"}),
            (Set{"environment:<*>=<*>", "environment:a.b=", "environment:c.d="}));
  EXPECT_EQ(kinds(with("environment:%=5 or so", kFive), {"environment:<*>=<*>"}).size(), 5u);
  // Few keys are a record.
  EXPECT_EQ(kinds({"order: id=5 is new", "order: name=5 it is", "order: id=x y z"}).size(), 3u);
}

TEST(LogTemplate, ThinSentencesNeedMoreWords) {
  EXPECT_EQ(kinds(with("%", kFive)).size(), 5u);
  EXPECT_EQ(kinds(with("% arrives", kFive)).size(), 5u);
  EXPECT_EQ(kinds(with("% arrives", {"a1x", "oak", "fir", "yew", "ash", "lime", "pine", "plum",
                                     "pear", "fig", "teak", "beech"})),
            Set{"<*> arrives"});
  EXPECT_EQ(kinds(with("% 12", kFive)).size(), 5u);
}

TEST(LogTemplate, WhatVariesTakesTheOthersAlong) {
  // Once enough words were seen, forms of verbs are names too; words of every sentence are not.
  EXPECT_EQ(kinds(with("login of user % granted", kFive) +
                  with("login of user % granted", {"fred", "started", "a17", "null"})),
            Set{"login of user <*> granted"});
  EXPECT_EQ(kinds(with("access % granted", kFive) + Lines{"access not granted"}),
            (Set{"access <*> granted", "access not granted"}));
}

TEST(LogTemplate, PlaceholdersAreOneAndCountAsWords) {
  EXPECT_EQ(kinds({"waiting for 5 now", "waiting for 5ms now", "waiting for 10.0.0.1 now"}),
            Set{"waiting for <*> now"});
  EXPECT_EQ(kinds({"took null here", "took 5 here", "took - here"}), Set{"took <*> here"});
  EXPECT_EQ(kinds({"node abcd joined", "node 12ef joined"}), Set{"node <*> joined"});
  EXPECT_EQ(kinds(with("pool on host % drained", {"n17", "amber", "birch", "cedar"})),
            Set{"pool on host <*> drained"});
  EXPECT_EQ(kinds({"moved 5 10.0.0.1 away", "moved 5 away"}), Set{"moved <*> away"});
  EXPECT_EQ(kinds({"moved 5 away", "moved 6 away"}), Set{"moved <num> away"});
}

TEST(LogTemplate, NamesWithNumbersCountTwice) {
  EXPECT_EQ(kinds(with("pool of % drained", {"web-1", "db-2", "sm-node-3"})),
            Set{"pool of <*> drained"});
  EXPECT_EQ(kinds(with("pool of % drained", {"web-1", "db-2"})).size(), 2u);
  EXPECT_EQ(kinds(with("pool of % drained", {"web-1", "web2"})), Set{"pool of <*> drained"});
}

TEST(LogTemplate, ManyCodesAreValues) {
  Lines lines;
  for (int i = 1; i <= 10; ++i) lines.push_back("probe ended with errno " + std::to_string(i));
  EXPECT_EQ(kinds(lines), Set{"probe ended with errno <*>"});
}

TEST(LogTemplate, PartsOfWordsBetweenMarksAreWords) {
  EXPECT_EQ(kinds(with("load(module:%, now)", kFive)), Set{"load(module:<*>, now)"});
  EXPECT_EQ(kinds(with("flags %", {"a,b,c", "x,y,z,w", "d,e,f,g,h"})), Set{"flags <*>"});
  EXPECT_EQ(kinds(with("unit %.service gone away", kFive)), Set{"unit <*> gone away"});
}

TEST(LogTemplate, WhatStandsInQuotesIsOneName) {
  EXPECT_EQ(kinds(with("service \"%\" was halted",
                       {"print spooler", "time", "remote access manager", "dns", "task host"})),
            Set{"service \"<*>\" was halted"});
  EXPECT_EQ(kinds(with("can't %'t", {"a b", "b c", "c d", "d e", "e f"})).size(), 5u);
}

TEST(LogTemplate, TwoPlacesVaryIfBothShowIt) {
  Lines lines;
  for (const std::string_view one : kFive)
    for (const std::string_view other : kFive)
      lines.push_back("copied " + std::string(one) + " over to " + std::string(other));
  EXPECT_EQ(kinds(lines), Set{"copied <*> over to <*>"});
  // A pair that shares no word with others is covered.
  EXPECT_EQ(kinds(lines + Lines{"copied oak over to fir"}), Set{"copied <*> over to <*>"});
}

TEST(LogTemplate, NamesInPairsVaryTogether) {
  const Lines lines = {"Loaded plugin amber of vendor oak", "Loaded plugin birch of vendor fir",
                       "Loaded plugin cedar of vendor yew", "Loaded plugin elm of vendor ash",
                       "Loaded plugin lime of vendor fig"};
  EXPECT_EQ(kinds(lines), Set{"Loaded plugin <*> of vendor <*>"});
  EXPECT_EQ(kinds({lines.begin(), lines.begin() + 4}).size(), 4u);
  EXPECT_EQ(kinds(lines, {"Loaded plugin <*> of vendor <*>"}).size(), 5u);
  // Two words for company are too few.
  EXPECT_EQ(kinds({"Amber to oak moved", "birch to fir moved", "cedar to yew moved",
                   "elm to ash moved", "lime to fig moved"})
                .size(),
            5u);
}

TEST(LogTemplate, WhatIsKeptApartIsNotMerged) {
  EXPECT_EQ(kinds(with("service % is up", kFive), {"service <*> is up"}).size(), 5u);
  EXPECT_EQ(kinds(with("service % is up", kFive) + with("service % is down", kFive),
                  {"service <*> is up"})
                .size(),
            6u);
}

TEST(LogTemplate, MoreLinesNeverDivide) {
  std::mt19937 random(11);
  Lines lines;
  for (int i = 0; i < 400; ++i) {
    std::string word = "w" + std::string(1 + random() % 9, 'x') + "y";
    lines.push_back("kind " + std::string(1 + random() % 3, 'k') + " of " + word + " came");
  }
  std::map<std::string, std::string> before;
  for (std::size_t size = 10; size <= lines.size(); size += 10) {
    const Lines some(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(size));
    const Lines out = learned(some, {}, 3);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (before.contains(some[i]) && before.contains(some[j])) {
          ASSERT_TRUE(before[some[i]] != before[some[j]] || out[i] == out[j])
              << some[i] << " / " << some[j];
        }
    for (std::size_t i = 0; i < size; ++i) before[some[i]] = out[i];
  }
}

TEST(LogTemplate, WhatIsTooLongIsLeftAlone) {
  std::string tail;
  for (std::size_t i = 0; i < kMostTemplateTokens; ++i) tail += " w";
  EXPECT_EQ(kinds(with("service %" + tail, kFive)).size(), 5u);
}

TEST(LogTemplate, NothingIsNothing) {
  EXPECT_EQ(kinds({}), Set{});
  EXPECT_EQ(kinds({"", "", " "}), Set{""});
}

// Grouping accuracy on labelled logs: VIGIL_LOGHUB names a folder of *_structured.csv with the
// columns Content and EventId.
std::vector<Lines> read_csv(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  std::vector<Lines> rows(1, Lines(1));
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"')
      rows.back().back() += text[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      rows.back().emplace_back();
    else if (c == '\n' && !quoted)
      rows.emplace_back(1);
    else if (c != '\r' || quoted)
      rows.back().back() += c;
  }
  while (!rows.empty() && rows.back().size() < 2) rows.pop_back();
  return rows;
}

double grouping_accuracy(const Lines& groups, const Lines& events) {
  std::map<std::string, std::vector<std::size_t>> truth;
  std::map<std::string, std::vector<std::size_t>> found;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    truth[events[i]].push_back(i);
    found[groups[i]].push_back(i);
  }
  std::size_t right = 0;
  for (const auto& [group, lines] : found)
    if (truth[events[lines[0]]] == lines) right += lines.size();
  return static_cast<double>(right) / static_cast<double>(groups.size());
}

TEST(LogTemplate, GroupsLabelledLogs) {
  const char* folder = std::getenv("VIGIL_LOGHUB");
  if (folder == nullptr) GTEST_SKIP() << "VIGIL_LOGHUB names no folder";
  double sum = 0;
  int sets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with("_structured.csv")) continue;
    const std::vector<Lines> rows = read_csv(entry.path().string());
    const auto column = [&](std::string_view name) {
      return static_cast<std::size_t>(std::ranges::find(rows[0], name) - rows[0].begin());
    };
    Lines lines;
    Lines events;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      lines.push_back(rows[i].at(column("Content")));
      events.push_back(rows[i].at(column("EventId")));
    }
    const double accuracy = grouping_accuracy(learned(lines), events);
    std::cout << entry.path().filename().string() << " " << accuracy << "\n";
    sum += accuracy;
    ++sets;
  }
  ASSERT_GT(sets, 0);
  std::cout << "mean " << sum / sets << "\n";
  EXPECT_GE(sum / sets, 0.92);
}

}  // namespace
}  // namespace vigil
