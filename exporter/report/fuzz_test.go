package report

import (
	"bytes"
	"reflect"
	"testing"
)

// Filters that are taken have one normal form, and it is read as itself.
func FuzzFilters(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00.5+01:00"}`, `{"group_by":["customer_id","product_id"],"bucket":"1d","time_zone":"Europe/Berlin"}`,
		`{"group_by":"feature_code,customer_id","bucket":"1h"}`, `{"customer_id":null,"product_id":"p"}`, `{"license_id":"l","license_id":"m"}`, `{"action":"usage.consumed"}`, `[]`, `{"from":1}`,
	} {
		for i := range KindNames() {
			f.Add(byte(i), []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, at byte, text []byte) {
		kind := Kind(KindNames()[int(at)%len(KindNames())])
		read, err := UnmarshalFilters(kind, text)
		if err != nil {
			return
		}
		normal, err := CanonicalJSON(read)
		if err != nil {
			t.Fatalf("%s: %q is read as %+v, which has no canonical form: %v", kind, text, read, err)
		}
		again, err := UnmarshalFilters(kind, normal)
		if err != nil || !reflect.DeepEqual(again, read) {
			t.Fatalf("%s: %q is read as %s, and that as %+v, %v; want the same", kind, text, normal, again, err)
		}
		if twice, err := CanonicalJSON(again); err != nil || !bytes.Equal(twice, normal) {
			t.Errorf("%s: %q: got %s, %v; want %s", kind, text, twice, err, normal)
		}
	})
}
