package evidence

import (
	"bytes"
	"fmt"
)

// mismatch says that something was checked and is not what it should be. Its
// texts may hold bytes of a hostile file; they are quoted where they do.
type mismatch struct {
	subject, want, found string
}

func (m *mismatch) Error() string { return m.subject + m.comparison() }

// comparison is the end of the message, which a [Step] shows by itself.
func (m *mismatch) comparison() string {
	return fmt.Sprintf(": want %s, found %s", m.want, m.found)
}

// same compares two values.
func same[T comparable](subject string, want, found T) error {
	if want == found {
		return nil
	}
	return &mismatch{subject, fmt.Sprint(want), fmt.Sprint(found)}
}

// sameText compares two short texts of which one may be hostile.
func sameText(subject, want, found string) error {
	if want == found {
		return nil
	}
	return &mismatch{subject, fmt.Sprintf("%q", want), fmt.Sprintf("%.80q", found)}
}

// sameBytes compares two texts and shows them from where they begin to differ.
func sameBytes(subject string, want, found []byte) error {
	if bytes.Equal(want, found) {
		return nil
	}
	at := 0
	for at < len(want) && at < len(found) && want[at] == found[at] {
		at++
	}
	return &mismatch{fmt.Sprintf("%s, byte %d", subject, at), excerpt(want[at:]), excerpt(found[at:])}
}

func excerpt(data []byte) string {
	if len(data) == 0 {
		return "the end"
	}
	return fmt.Sprintf("%q", data[:min(len(data), 32)])
}
