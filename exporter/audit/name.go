package audit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name that people may give what events are about, in
// bytes.
const maxName = 128

// NameProblem says why people can't call something by a name, continuing its
// sentence, and "" if they can.
func NameProblem(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "must not be empty"
	case len(name) > maxName:
		return fmt.Sprintf("is %d bytes long, of at most %d", len(name), maxName)
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "contains a control character"
	}
	return ""
}
