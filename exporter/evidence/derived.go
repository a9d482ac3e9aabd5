package evidence

import (
	"bytes"
	"fmt"
	"text/template"

	"licensekit/exporter/report"
)

// The other names in a bundle.
const (
	ManifestName  = "manifest.json"
	SignatureName = "manifest.json.sig"
	SigstoreName  = "manifest.sigstore.json"
	ProofName     = "manifest.json.tlog-proof"
	SumsName      = "SHA256SUMS"
	ReadmeName    = "README.txt"
)

// BundleName is the file name of the bundle of an export.
func BundleName(exportID string) string { return exportID + ".lkbundle.zip" }

// derived gives all small files of a bundle, of which four follow from the
// others: manifest, signature and proof.
func derived(m *Manifest, manifest, signature, proof []byte) (map[string][]byte, error) {
	bundle, err := sigstoreBundle(m, manifest, signature)
	if err != nil {
		return nil, err
	}
	text, err := readme(m, manifest)
	if err != nil {
		return nil, err
	}
	small := map[string][]byte{
		ManifestName: manifest, SignatureName: signature, SigstoreName: bundle, ProofName: proof, ReadmeName: text,
	}
	small[SumsName] = sums(m, small)
	return small, nil
}

// sums is SHA256SUMS, in sha256sum's own format: every file but itself, in the
// order of the bundle.
func sums(m *Manifest, small map[string][]byte) []byte {
	var b bytes.Buffer
	line := func(d report.Digest, name string) { fmt.Fprintf(&b, "%s  %s\n", d.Hex(), name) }
	for _, place := range places {
		switch place.name {
		case SumsName:
		case DataName:
			line(m.Data.Digest, DataName)
		case artifactPrefix:
			line(m.Artifact.Digest, m.ArtifactName())
		default:
			line(tallyOf(small[place.name]).File().Digest, place.name)
		}
	}
	return b.Bytes()
}

// readme is README.txt. Its text is part of the format: a bundle whose
// README.txt differs by a byte is refused, so a new wording needs a new
// [PredicateType]. All that it takes from the manifest is free of line ends,
// and what stands in a command has a shape that means nothing to a shell.
func readme(m *Manifest, manifest []byte) ([]byte, error) {
	filters, err := report.CanonicalJSON(m.Filters)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", ReadmeName, err)
	}
	var b bytes.Buffer
	err = readmeText.Execute(&b, map[string]any{
		"M":        m,
		"Frozen":   report.FormatTime(int64(m.FrozenAt)),
		"Filters":  string(filters),
		"Bundle":   BundleName(m.ExportID),
		"PAE":      paeHead(PayloadType, len(manifest)),
		"Artifact": m.ArtifactName(),
		"Type":     PredicateType,
		"Sigstore": SigstoreName,
		"Proof":    ProofName,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", ReadmeName, err)
	}
	return b.Bytes(), nil
}

// ReadmeForm is the text of README.txt with its values left open, for checks of
// bundles in other languages: each stands there as its name in the predicate
// between the bytes 1 and 2. The name pae is that of all that is signed before
// the manifest. logged tells whether the manifest names a log.
func ReadmeForm(logged bool) (string, error) {
	open := func(name string) string { return "\x01" + name + "\x02" }
	m := map[string]any{
		"ExportID": open("export_id"), "Kind": open("report_kind"), "Format": open("format"), "RowCount": open("row_count"),
		"AsOf": open("as_of"), "Instance": open("instance"), "KeyID": open("key_id"),
	}
	if logged {
		m["Log"] = map[string]any{"Origin": open("log_origin"), "Index": open("log_index")}
	}
	var b bytes.Buffer
	err := readmeText.Execute(&b, map[string]any{
		"M": m, "Frozen": open("frozen_at"), "Filters": open("filters"), "Bundle": BundleName(open("export_id")), "PAE": open("pae"),
		"Artifact": artifactPrefix + open("format"), "Type": PredicateType, "Sigstore": SigstoreName, "Proof": ProofName,
	})
	return b.String(), err
}

var readmeText = template.Must(template.New(ReadmeName).Parse(`Evidence bundle of export {{.M.ExportID}}

  report      {{.M.Kind}} as {{.M.Format}}, rows: {{.M.RowCount}}
  filters     {{.Filters}}
  frozen at   {{.Frozen}}, from ledger sequence {{.M.AsOf}}
  instance    {{.M.Instance}}
  signed by   {{.M.KeyID}}
{{- if .M.Log}}
  log         {{.M.Log.Origin}}, entry {{.M.Log.Index}}
{{- end}}

You can check it without a network. First get the public key of the instance
from a source that you trust; below it is KEY.pem. It is not in this bundle,
because whoever could alter the report could put another key beside it.

With licensekit, all of it at once:

    licensekit verify --key KEY.pem {{.Bundle}}

With stock tools, in the directory of the unpacked files:

1. KEY.pem is the key that the manifest names. This prints the "signed by"
   from above:

    openssl pkey -pubin -in KEY.pem -outform DER | sha256sum

2. That key signed manifest.json. This prints "Signature Verified
   Successfully":

    printf '{{.PAE}}' > pae
    cat manifest.json >> pae
    openssl pkeyutl -verify -pubin -inkey KEY.pem -rawin -in pae -sigfile manifest.json.sig

3. The signed manifest is about these files. Each prints 1:

    grep -c "\"digest\":{\"sha256\":\"$(sha256sum < {{.Artifact}} | cut -c 1-64)\"},\"name\":\"{{.Artifact}}\"" manifest.json
    grep -c "\"digest\":{\"sha256\":\"$(sha256sum < data.json | cut -c 1-64)\"},\"name\":\"data.json\"" manifest.json

4. No file was damaged on its way. Each line ends with OK:

    sha256sum -c SHA256SUMS

Instead of 1 to 3, with cosign 3. This prints "Verified OK":

    cosign verify-blob-attestation --key KEY.pem --bundle {{.Sigstore}} --insecure-ignore-tlog --type {{.Type}} {{.Artifact}}
{{if .M.Log}}
The log of all exports of the instance has a key of its own. Get it from where
you got KEY.pem; below it is LOG.vkey. With spicy of filippo.io/torchwood, this
prints "Spicy signature(s) verified!" if manifest.json is in the log:

    tail -n +2 {{.Proof}} > manifest.json.spicy
    spicy -verify "$(cat LOG.vkey)" manifest.json
{{end}}
What this shows: the holder of the key signed this report, and no byte of it
has changed since. It does not show that what was reported to the instance was
true, and the time is the instance's own.
`))
