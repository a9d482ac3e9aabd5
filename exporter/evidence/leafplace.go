package evidence

import "fmt"

// LeafPlace tells of which instance a leaf is, and where in which log it says
// that it stands. Who signed it is looked at where the leaf holds signatures.
func LeafPlace(leaf []byte) (instance string, at LogPosition, err error) {
	kind, err := LeafType(leaf)
	if err != nil {
		return "", at, err
	}
	switch kind {
	case PredicateType:
		m, err := ParseManifest(leaf)
		if err == nil && m.Log == nil {
			err = fmt.Errorf("manifest of %s: it names no place in a log", m.ExportID)
		}
		if err != nil {
			return "", at, err
		}
		return m.Instance, *m.Log, nil
	case RotationType:
		r, err := ParseRotation(leaf)
		if err != nil {
			return "", at, err
		}
		return r.Instance, r.Log, nil
	case RestartType:
		r, err := ParseRestart(leaf)
		if err != nil {
			return "", at, err
		}
		return r.Instance, LogPosition{r.New.Origin(), 0}, nil
	}
	return "", at, fmt.Errorf("read leaf of the log: %.80q is no type of leaf", kind)
}
