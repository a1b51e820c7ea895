// Package pattern decides the category of what a user had in front from patterns: which app it was, which site, and
// what the window's title said. A Set is compiled once from the categories' patterns, is immutable, and answers
// without allocation for ASCII input. It knows nothing of where patterns come from; Builtin has those that ship
// with the program.
//
// # What decides
//
// The first row that applies decides. Within a row the longer pattern wins; a tie cannot occur, because Compile
// leaves out the second of two equal patterns.
//
//	1  domain    a domain pattern matches the URL: the longest host, and for that host the longest path
//	2  app       an app pattern of any category but Browsing: the whole name before its first words, then the longest
//	3  title     a keyword stands in the title: the longest, then the leftmost
//	4  browser   an app pattern of the category Browsing, only where there is no URL
//
// A browser's name says nothing about what is shown, so it never decides beside a URL, not even one that no pattern
// matches. A URL that names no site counts as none: about:blank, chrome://newtab, file:///x, text that is no URL.
// To let one group of patterns decide before another whatever their kind or length, compile two Sets and ask the
// first one first.
//
// # Domain patterns
//
//	example.com         the host and its subdomains; never notexample.com, never a query string
//	example.com/docs    only below that path: /docs, /docs/a, not /docsearch
//	.edu, *.edu         a single label has to be written so; "edu" alone is reported, as it is most often a mistake
//
// Scheme, "www.", upper case, the default ports, a trailing slash or dot do not matter, in patterns as in URLs;
// internationalised names equal their punycode. A more specific host decides before a path of a less specific one:
// scholar.google.com before google.com/search. Paths are compared in ASCII lower case with %XX decoded. IP
// addresses and localhost match as they are. Ports, queries and fragments are not matched: patterns with one are reported.
//
// # App patterns
//
//	code      the name "Code", or names that begin with this word: "Code - Insiders"; not "CodePen Studio"
//	=music    the whole name only: for words that other names begin with, such as "Music Maker"
//	adobe*    any name that begins with these letters: "AdobeIPCBroker"
//
// Names and patterns are normalised alike: lower case, NFKC, directory and .exe, .app, .desktop, .appimage, .lnk
// and invisible characters removed, anything but letters, digits, plus and number sign becomes one space. A word
// ends at a space, where Latin letters meet Hangul, Han or Kana ("Zoom회의"), and where only a version number follows
// at least three letters ("idea64", not "mp3"). A version at the end of a name is not part of the whole name:
// "=photoshop" matches "Photoshop 2024". Of a reverse-DNS
// identifier the parts after the first are tried as names too: com.google.Chrome is matched by
// "com.google.chrome", "google chrome" and "chrome".
//
// # Title keywords
//
//	figma     the word anywhere in the title, in any case; not in "configmap"
//	*figma*   a star at an end frees that end from the word boundary
//
// An end of a keyword that is Hangul, Han or Kana needs no boundary, because particles and compounds are written
// without spaces: 유튜브 stands in 유튜브에서.
package pattern
