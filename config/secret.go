package config

import (
	"regexp"
	"strconv"
	"strings"
)

// masked stands where a secret is not shown. As input it is refused.
const masked = "<masked>"

// secrecy says how much of a value may be shown: "" all of it, "true" nothing, "uri" all but the passwords in it, "address" all of
// it unless it looks like a URI, which somebody may have put there with a password.
type secrecy string

const (
	secretWhole secrecy = "true"
	secretURI   secrecy = "uri"
	secretAddr  secrecy = "address"
)

// mask returns text with what is secret in it replaced.
func (s secrecy) mask(text string) string {
	switch {
	case s == "" || text == "":
		return text
	case s == secretAddr && !strings.ContainsAny(text, "@/"):
		return text
	case s == secretURI || s == secretAddr:
		return maskURI(text)
	default:
		return masked
	}
}

var (
	uriScheme   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	fileURI     = regexp.MustCompile(`^(sqlite|file):[^@]*$`)
	secretParam = regexp.MustCompile(`(?i)([?&;][^=&;]*(?:pass|pwd|secret|token|key|cred|auth|%)[^=&;]*=)[^&;]*`)
)

// maskURI hides the password before the @ and the parameters whose name tells of a secret. In doubt it hides more:
// what is not a URI is hidden whole, and so is all behind the scheme where a / or ? before an @ leaves open which of
// them belong to a password.
func maskURI(text string) string {
	scheme := uriScheme.FindString(text)
	if scheme == "" && !fileURI.MatchString(text) {
		return masked
	}
	rest := text[len(scheme):]
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if strings.ContainsAny(rest[:at], "/?#&;") {
			return scheme + masked
		}
		if user, _, ok := strings.Cut(rest[:at], ":"); ok {
			rest = user + ":" + masked + rest[at:]
		}
	}
	return scheme + secretParam.ReplaceAllString(rest, "${1}"+masked)
}

// shown is a value that a source offered for the leaf, fit for a message: masked, quoted and cut.
func (l *leaf) shown(text string) string {
	text = l.secret.mask(text)
	const most = 80
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strconv.Quote(text)
}
