package practice

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// settings are what Create was told, kept in practice.json. All that a real
// instance keeps in its configuration is in iris.cpf instead.
type settings struct {
	Format     int       `json:"format"` // 1
	Name       string    `json:"name"`
	Executable string    `json:"executable"` // what the scripts in bin/ call
	User       string    `json:"user,omitempty"`
	Password   string    `json:"password,omitempty"` // asked for at sign-on if not empty; it guards nothing
	Created    time.Time `json:"created"`
	BlockSize  int       `json:"block_size"`
}

const settingsFormat = 1

func readSettings(path string) (*settings, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s settings
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.Format != settingsFormat || s.Name == "" {
		return nil, fmt.Errorf("%s: %w", path, ErrNotInstance)
	}
	return &s, nil
}

func (s *settings) write(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(b, '\n'), 0o600)
}
