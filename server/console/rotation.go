package console

import (
	"net/http"

	"licensekit/exporter/evidence"
)

const (
	rotationPath  = logPath + "/rotation"
	apiRotatePath = "/api/v1/system/keys/rotate"
)

// errKeyChanged says that somebody replaced the key that a form is about.
var errKeyChanged = &failure{
	Status: http.StatusConflict, Code: "KEY_CHANGED", Message: "the key was replaced since this form was shown",
	Detail: "nothing was done now",
}

// showRotation says what it means to replace the key that signs exports.
func (c *Console) showRotation(v *visit) error {
	keys, err := v.exportKeys()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "rotation", keys[0])
}

// rotateKey replaces the key that its form shows, and shows the new one.
func (c *Console) rotateKey(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	c.rotating.Lock() // a form that is sent twice replaces one key
	defer c.rotating.Unlock()
	keys, err := v.exportKeys()
	if err != nil {
		return err
	}
	if keys[0].KID != form.Get("key") {
		return errKeyChanged
	}
	if _, err := v.call(http.MethodPost, apiRotatePath, nil, nil, &keys); err != nil {
		return err
	}
	return v.show(http.StatusOK, "rotated", rotated{New: keys[0], Old: form.Get("key")})
}

// rotated is a key that signs from now on, and the one that did before.
type rotated struct {
	New evidence.PublicKeyRecord
	Old string // its id
}
