package evidence

import (
	"fmt"

	"licensekit/exporter/report"
)

// LeafPlace is where a leaf says that it stands.
type LeafPlace struct {
	Instance string
	Log      LogPosition
	At       report.Instant // when it was made to be put there
}

// ParseLeafPlace reads it. Who signed the leaf is looked at where it holds
// signatures.
func ParseLeafPlace(leaf []byte) (place LeafPlace, err error) {
	kind, err := LeafType(leaf)
	if err != nil {
		return place, err
	}
	switch kind {
	case PredicateType:
		m, err := ParseManifest(leaf)
		if err == nil && m.Log == nil {
			err = fmt.Errorf("manifest of %s: it names no place in a log", m.ExportID)
		}
		if err != nil {
			return place, err
		}
		return LeafPlace{m.Instance, *m.Log, m.FrozenAt}, nil
	case RotationType:
		r, err := ParseRotation(leaf)
		if err != nil {
			return place, err
		}
		return LeafPlace{r.Instance, r.Log, r.At}, nil
	case RestartType:
		r, err := ParseRestart(leaf)
		if err != nil {
			return place, err
		}
		return LeafPlace{r.Instance, LogPosition{r.New.Origin(), 0}, r.At}, nil
	}
	return place, fmt.Errorf("read leaf of the log: %.80q is no type of leaf", kind)
}
